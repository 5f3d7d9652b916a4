package kernel

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// The work queue that takes bytes from one side of a pseudo terminal to the
// other can be waited for only by who finds nothing there (n_tty_poll and
// n_tty_read call tty_buffer_flush_work then). Where something is unread, what
// is behind it has arrived or not; these make it arrive.

// inputSettled waits for what was written to the master of slave s, also behind
// up to 254 unread bytes if s has no lines: poll(2) does not count them then.
// Behind an unread line it cannot.
func inputSettled(s int) {
	if pollNow(s, unix.POLLIN) {
		mode, err := unix.IoctlGetTermios(s, unix.TCGETS)
		if n, e := unix.IoctlGetInt(s, unix.TIOCINQ); err == nil && e == nil && n < maxVMIN && mode.Lflag&unix.ICANON == 0 {
			many := *mode
			many.Cc[unix.VMIN], many.Cc[unix.VTIME] = maxVMIN, 0
			if unix.IoctlSetTermios(s, unix.TCSETS, &many) == nil {
				pollNow(s, unix.POLLIN)
				_ = unix.IoctlSetTermios(s, unix.TCSETS, mode)
			}
		}
	}
	// The queue shows a line before it has made its echo; TIOCINQ waits for
	// that (n_tty_ioctl takes termios_rwsem for writing).
	_, _ = unix.IoctlGetInt(s, unix.TIOCINQ)
}

const maxVMIN = 255 // a cc_t

// holdSlave opens the slave of a master that nobody has opened, or tells which
// it was before; -1 if the guest keeps it locked. The first close of a slave is seen
// at its master, so it stays open until somebody in the guest has opened it.
func (k *Kernel) holdSlave(master int) int {
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return -1
	}
	if s, ok := k.slaves[n]; ok && !hungUp(s) {
		return s
	}
	k.releaseSlaves(nil)
	s, err := openSlave(master)
	if err != nil {
		return -1
	}
	if k.slaves == nil {
		k.slaves = map[int]int{}
	}
	k.slaves[n] = s
	k.watchOpens()
	return s
}

// releaseSlaves closes what is held of slaves that somebody has opened, and of
// those whose master is gone.
func (k *Kernel) releaseSlaves(*Task) {
	for _, n := range slices.Sorted(maps.Keys(k.slaves)) {
		s := k.slaves[n]
		if hungUp(s) || k.heldOpen(n) {
			unix.Close(s)
			delete(k.slaves, n)
		}
	}
}

// outputSettled waits for what was written to the slave of a master, for
// FIONREAD. If something is unread it is taken out, which waits for the rest, and
// written once more, as it is.
func (k *Kernel) outputSettled(f *file) {
	n, err := unix.IoctlGetInt(f.fd, unix.TIOCINQ)
	if err != nil {
		return
	}
	if n == 0 {
		pollNow(f.fd, unix.POLLIN)
		return
	}
	if packets, err := unix.IoctlGetInt(f.fd, unix.TIOCGPKT); err != nil || packets != 0 {
		return
	}
	// Also where the guest has closed its last one: nobody sees this one.
	s, err := openSlave(f.fd)
	if err != nil {
		return
	}
	defer unix.Close(s)
	mode, err := unix.IoctlGetTermios(s, unix.TCGETS)
	if err != nil || !pollNow(s, unix.POLLOUT) { // stopped by ^S, or full
		return
	}
	plain := *mode
	plain.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(s, unix.TCSETS, &plain); err != nil {
		return
	}
	all := f.drain(maxTTYQueue)
	for off := 0; off < len(all); {
		n, err := unix.Write(s, all[off:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			k.Stop(fmt.Errorf("terminal: its output cannot be put back: %w", err))
			break
		}
		off += n
	}
	_ = unix.IoctlSetTermios(s, unix.TCSETS, mode)
	pollNow(f.fd, unix.POLLIN)
}

// maxTTYQueue is more than lies between the two sides: 64 KiB (tty_buffer.c) and
// N_TTY_BUF_SIZE.
const maxTTYQueue = 128 << 10
