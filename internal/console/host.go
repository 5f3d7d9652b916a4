package console

import (
	"fmt"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Host is the terminal in front of which a person sits. Its mode is changed only
// between Raw and Restore. All methods are safe for any goroutine.
type Host struct {
	fd int

	mu      sync.Mutex
	saved   *unix.Termios // nil: not in raw mode
	resumed chan os.Signal
}

// OpenHost is the terminal behind f, nil if there is none.
func OpenHost(f *os.File) *Host {
	if f == nil {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return &Host{fd: int(f.Fd())}
}

// Raw passes every key on: the guest's terminal has a line discipline of its own.
func (h *Host) Raw() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.saved != nil {
		return nil
	}
	mode, err := unix.IoctlGetTermios(h.fd, unix.TCGETS)
	if err == nil {
		err = unix.IoctlSetTermios(h.fd, unix.TCSETS, raw(*mode))
	}
	if err != nil {
		return fmt.Errorf("raw mode of the terminal: %w", err)
	}
	h.saved = mode
	h.resumed = make(chan os.Signal, 1)
	signal.Notify(h.resumed, unix.SIGCONT)
	go h.follow(h.resumed)
	return nil
}

// follow goes back to raw mode after dettrace was stopped: the shell has put the
// terminal into its own mode meanwhile.
func (h *Host) follow(resumed <-chan os.Signal) {
	for range resumed {
		h.mu.Lock()
		if h.saved != nil {
			_ = unix.IoctlSetTermios(h.fd, unix.TCSETS, raw(*h.saved)) // it worked before
		}
		h.mu.Unlock()
	}
}

// Restore gives the terminal the mode that it had before Raw. It may be called at
// any time, on a nil Host, and more than once.
func (h *Host) Restore() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.saved == nil {
		return nil
	}
	signal.Stop(h.resumed)
	close(h.resumed)
	mode := h.saved
	h.saved = nil
	if err := unix.IoctlSetTermios(h.fd, unix.TCSETSW, mode); err != nil {
		return fmt.Errorf("mode of the terminal: %w", err)
	}
	return nil
}

// raw is mode as cfmakeraw(3) makes it.
func raw(mode unix.Termios) *unix.Termios {
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Oflag &^= unix.OPOST
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag &^= unix.CSIZE | unix.PARENB
	mode.Cflag |= unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	return &mode
}
