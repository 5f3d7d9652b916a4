package console

import (
	"bytes"
	"slices"

	"golang.org/x/sys/unix"
)

// What is typed at one place is cut so that the line discipline (termios(3),
// drivers/tty/n_tty.c) is certainly through with it when poll(2) of the slave
// returns, and so that the guest comes to react: a line, up to a character that
// sends a signal, or what was typed at once into a terminal without lines.

// maxKeys bounds what is typed at once: less than the line discipline's buffer.
const maxKeys = 255

// disabled is _POSIX_VDISABLE: no such character.
const disabled = 0

// cut gives the length of the first piece of p; whole says that more bytes
// behind p would not make it longer.
func cut(mode *unix.Termios, p []byte) (n int, whole bool) {
	for i, c := range p {
		if signals(mode, c) || endsLine(mode, c) || i+1 == maxKeys {
			return i + 1, true
		}
	}
	return len(p), false
}

func canonical(mode *unix.Termios) bool { return mode.Lflag&unix.ICANON != 0 }

// endsLine reports whether c ends a line of input. Without lines the keys that
// do so elsewhere still end a piece: an editor of command lines changes the mode
// before others read what was pasted behind.
func endsLine(mode *unix.Termios, c byte) bool {
	if !canonical(mode) {
		return c == '\r' || c == '\n'
	}
	if c == '\r' && mode.Iflag&unix.IGNCR == 0 && mode.Iflag&unix.ICRNL != 0 {
		return true
	}
	return c == '\n' || c != disabled && (c == mode.Cc[unix.VEOF] || c == mode.Cc[unix.VEOL] || c == mode.Cc[unix.VEOL2])
}

// signals reports whether c sends a signal.
func signals(mode *unix.Termios, c byte) bool {
	return mode.Lflag&unix.ISIG != 0 && c != disabled &&
		(c == mode.Cc[unix.VINTR] || c == mode.Cc[unix.VQUIT] || c == mode.Cc[unix.VSUSP])
}

// flow reports whether c stops or starts the output.
func flow(mode *unix.Termios, c byte) bool {
	return mode.Iflag&unix.IXON != 0 && c != disabled && (c == mode.Cc[unix.VSTOP] || c == mode.Cc[unix.VSTART])
}

// overtakes finds the first character in p whose signal discards all input
// before it, and gives the line that it ends; nil if there is none. n is how much
// of p that takes.
func overtakes(mode *unix.Termios, p []byte) (keys []byte, n int) {
	if mode.Lflag&unix.NOFLSH != 0 {
		return nil, 0
	}
	i := slices.IndexFunc(p, func(c byte) bool { return signals(mode, c) })
	if i < 0 {
		return nil, 0
	}
	from := i
	if canonical(mode) {
		from = 0
		for j, c := range p[:i] {
			if endsLine(mode, c) {
				from = j + 1
			}
		}
	}
	from = max(from, i+1-maxKeys)
	return bytes.Clone(p[from : i+1]), i + 1
}
