package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// openTerminal makes a pty of the container, the slave of which becomes the
// standard streams and the controlling terminal of the guest's first process t,
// which is the leader of its session. That process makes the calls itself: the pty
// is of its devpts and belongs to its user, as one that login(1) gives away. The
// master is left here alone.
func (k *Kernel) openTerminal(t *Task, g Guest, base *ptrace.Regs) error {
	if k.cfg.Terminal == nil {
		return nil
	}
	const path = "/dev/pts/ptmx"
	if !t.write(g.ScratchAddr, []byte(path+"\x00")) {
		return fmt.Errorf("terminal: write of a path: %w", unix.EFAULT)
	}
	var failed error
	call := func(what string, nr int, args ...uint64) uint64 {
		if failed != nil {
			return 0
		}
		r, err := ptrace.Inject(t.tid, base, g.SyscallAddr, nr, args...)
		if err == nil && r < 0 {
			err = unix.Errno(-r)
		}
		if err != nil {
			failed = fmt.Errorf("terminal: %s: %w", what, err)
		}
		return uint64(r)
	}
	// moved is fd above all that the guest may have open.
	moved := func(fd uint64) uint64 {
		to := call("move", unix.SYS_FCNTL, fd, unix.F_DUPFD, 10)
		call("close", unix.SYS_CLOSE, fd)
		return to
	}
	const flags = unix.O_RDWR | unix.O_NOCTTY
	cwd := unix.AT_FDCWD
	master := moved(call("open "+path, unix.SYS_OPENAT, uint64(cwd), g.ScratchAddr, flags))
	if failed == nil {
		failed = k.holdMaster(t, int(master))
	}
	slave := moved(call("open its slave", unix.SYS_IOCTL, master, unix.TIOCGPTPEER, flags))
	call("close", unix.SYS_CLOSE, master)
	for fd := range uint64(3) {
		call("standard streams", unix.SYS_DUP3, slave, fd, 0)
	}
	call("close", unix.SYS_CLOSE, slave)
	call("make it the controlling terminal", unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0)
	return failed
}

// holdMaster takes the master over and sets the terminal up.
func (k *Kernel) holdMaster(t *Task, n int) error {
	fd, err := unix.PidfdGetfd(t.proc.pidfd, n, 0)
	if err != nil {
		return fmt.Errorf("terminal: hold the master: %w", err)
	}
	k.terminals = true
	k.term = &terminal{Terminal: k.cfg.Terminal, fd: fd}
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	size := unix.Winsize{Col: k.term.Size.Cols, Row: k.term.Size.Rows}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	var mode *unix.Termios
	if err == nil {
		mode, err = unix.IoctlGetTermios(fd, unix.TCGETS) // the slave's (tty_mode_ioctl)
	}
	if err == nil {
		mode.Iflag |= unix.IUTF8 // what LANG says
		err = unix.IoctlSetTermios(fd, unix.TCSETS, mode)
	}
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}
