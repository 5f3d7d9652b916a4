package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/console"
	"dettrace/internal/host"
)

// With --tty the guest's standard streams are one pseudo terminal of the
// container, whose master is here. Lines, echo, signals and job control are the
// kernel's own, as at any terminal; package console decides what is typed. Three
// rules keep the kernel's work queue (tty.go) out of the result:
//
//   - what the guest writes is taken out of the master at the end of the call, and
//     no call writes more at once than the terminal surely takes, so that it
//     always has the same room;
//   - nothing is typed while there is input that somebody could read, since
//     poll(2) of the slave waits for the work queue only if there is none. A
//     signal's character that discards such input has it discarded before;
//   - it is typed where all other guest threads stand still, and the run goes on
//     when the line discipline is through with it.

// terminal is the guest's; nil in runs without.
type terminal struct {
	*console.Terminal
	fd   int // the master, -1 once it is hung up
	asks int // see console.Question
}

// typedInput is how a report calls what a person typed.
const typedInput = "typed input"

// CloseTerminal takes out what is left and hangs up.
func (k *Kernel) CloseTerminal() {
	if k.term != nil && k.term.fd >= 0 {
		k.drainTerminal()
		unix.Close(k.term.fd)
		k.term.fd = -1
	}
}

// drainTerminal passes on what the guest has written, and the echo.
func (k *Kernel) drainTerminal() {
	var buf [4096]byte // N_TTY_BUF_SIZE: a read gives no more
	for k.term.fd >= 0 {
		// n_tty_read waits for the work queue before it says EAGAIN.
		n, err := unix.Read(k.term.fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 { // EIO: no slave is open
			return
		}
		k.emit(k.term, buf[:n])
	}
}

// slave opens the slave of a master unless that could be seen; -1 then.
func (k *Kernel) slave(master int) int {
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return -1
	}
	if hungUp(master) || !k.hasTerminal(n) && !k.heldOpen(n) {
		return -1
	}
	// The slave is open already (no hang-up, and somebody has it), so
	// opening it once more changes nothing that the guest can see.
	s, err := openSlave(master)
	if err != nil {
		return -1
	}
	return s
}

// openSlave opens the slave of a master, without blocking.
func openSlave(master int) (int, error) {
	s, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC)
	if e != 0 {
		return -1, e
	}
	return int(s), nil
}

// hungUp reports that no slave of a master is open, or the master of a slave closed.
func hungUp(master int) bool {
	p := [1]unix.PollFd{{Fd: int32(master), Events: unix.POLLIN}}
	_, err := unix.Poll(p[:], 0)
	return err != nil || p[0].Revents&unix.POLLHUP != 0
}

// terminalState is what an Input may know of the guest's terminal.
func (k *Kernel) terminalState() console.State {
	var s console.State
	if mode, err := unix.IoctlGetTermios(k.term.fd, unix.TCGETS); err == nil { // the slave's (tty_mode_ioctl)
		s.Mode = *mode
	}
	if fd := k.slave(k.term.fd); fd >= 0 {
		s.Unread = pollNow(fd, unix.POLLIN)
		unix.Close(fd)
	}
	return s
}

// ask lets the input decide whether something is typed here, and types it.
func (k *Kernel) ask(p console.Place, q console.Question) (typed bool, err error) {
	x := k.term
	p.Event, p.NS = k.stats.Events, k.Now()-k.cfg.Epoch
	q.Asks, q.Look = x.asks, k.terminalState
	keys, err := x.Input.At(p, q)
	if keys == nil || err != nil {
		return false, err
	}
	x.asks = 0
	if x.Input.Outside() {
		k.door(typedInput)
	}
	if x.Record != nil {
		x.Record.Typed(keys)
	}
	if keys.Kind == console.Idle && !k.cfg.Open.Time {
		k.timeToType()
	}
	return true, k.typeKeys(keys)
}

// keyNS is the logical time that typing takes: no two keys come at once, for
// which some programs look (tmux takes them for pasted text). It defines results.
const keyNS = 10e6

// timeToType moves the clock, but to no timer: what is typed comes before.
func (k *Kernel) timeToType() {
	to := k.Now() + keyNS
	if when, ok := k.sched.NextTimer(); ok {
		to = min(to, when-1)
	}
	k.sched.Advance(to)
	k.setNow()
}

// typeKeys types, and returns when all that follows at once has happened.
func (k *Kernel) typeKeys(keys *console.Keys) error {
	x := k.term
	if keys.Hangup {
		k.drainTerminal()
		unix.Close(x.fd) // pty_close hangs up the slave, with its signals
		x.fd = -1
		return k.recheckAll()
	}
	if keys.Flush {
		if fd := k.slave(x.fd); fd >= 0 {
			err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
			unix.Close(fd)
			if err != nil {
				return fmt.Errorf("terminal: discard of input: %w", err)
			}
		}
	}
	n, err := unix.Write(x.fd, keys.Bytes)
	if errors.Is(err, unix.EIO) { // nobody has the terminal open
		return nil
	}
	if err == nil && n < len(keys.Bytes) {
		err = unix.EAGAIN
	}
	if err != nil {
		return fmt.Errorf("terminal: typed input: %w", err)
	}
	err = k.ttyWritten(x.fd)
	k.drainTerminal()
	return err
}

// typeIdle types when all threads wait; last says that nothing else can happen
// any more.
func (k *Kernel) typeIdle(last bool) (bool, error) {
	if k.term == nil || k.term.fd < 0 {
		return false, nil
	}
	k.drainTerminal()
	return k.ask(console.Place{Kind: console.Idle}, console.Question{Wanted: k.inputWanted(), Last: last})
}

// typeAtEvent types before an event of t.
func (k *Kernel) typeAtEvent() {
	if x := k.term; x == nil || x.fd < 0 || !x.Input.Pending() && x.asks < console.ManyAsks {
		return
	}
	if _, err := k.ask(console.Place{Kind: console.Event}, console.Question{}); err != nil {
		k.Stop(err)
	}
}

// typeRunning types while t computes: nudged if it has for a while, else it is
// about to.
func (k *Kernel) typeRunning(t *Task, nudged bool) {
	x := k.term
	if x == nil || x.fd < 0 || !x.Input.Pending() || t.retrying {
		return
	}
	if t.entering { // first the kernel ends the call that was the event
		if t.onExit == nil && x.Input.Budget(k.stats.Events, x.asks) == 0 {
			t.onExit = func(*Task) {}
		}
		return
	}
	q := console.Question{Nudged: nudged}
	if s, ok := t.sigState(); nudged && ok {
		q.Caught = s.caught&(bit(unix.SIGINT)|bit(unix.SIGQUIT)|bit(unix.SIGTSTP)) != 0
	}
	if _, err := k.ask(console.Place{Kind: console.Running, Thread: t.vtid}, q); err != nil {
		k.Stop(err)
	}
}

// typeBudget is how many events may pass before somebody must be asked.
func (k *Kernel) typeBudget(n int) int {
	if x := k.term; x != nil && x.fd >= 0 {
		return min(n, x.Input.Budget(k.stats.Events, x.asks))
	}
	return n
}

// Urgent reports that something was typed that a computing thread may have to
// see. Safe for any goroutine.
func (k *Kernel) Urgent() bool { return k.cfg.Terminal != nil && k.cfg.Terminal.Input.Urgent() }

// inputWanted reports whether a thread waits for a terminal.
func (k *Kernel) inputWanted() bool {
	for _, t := range k.order {
		if t.wait.tty {
			return true
		}
	}
	return false
}

// asked notes that input was looked for without waiting.
func (k *Kernel) asked() {
	if k.term != nil {
		k.term.asks++
	}
}

// bell is the descriptor by which a person's input announces itself, -1 if
// nobody can be expected to type.
func (k *Kernel) bell() int {
	if x := k.term; x != nil && x.fd >= 0 {
		return x.Input.Bell()
	}
	return -1
}

// awaitTyping waits for a person, when nothing else can happen any more.
func (k *Kernel) awaitTyping() bool {
	fd := k.bell()
	if fd < 0 {
		return false
	}
	for k.stopped.Load() == nil && !k.outside.waiting() {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(p, int(waitSlice/1e6)); n > 0 {
			break
		}
	}
	return true
}

// pause waits for ns, or for a person.
func pause(bell int, ns int64) {
	if bell < 0 {
		host.Sleep(ns)
		return
	}
	p := []unix.PollFd{{Fd: int32(bell), Events: unix.POLLIN}}
	_, _ = unix.Poll(p, int((ns+999_999)/1_000_000)) // whoever waits looks again
}

// ttyPiece is the most that one call writes to the guest's terminal: in the worst
// case (tabs, XTABS) eight times as much, which tty_buffer_space_avail has room for.
const ttyPiece = 4096

// onTerminal reports that f is a slave that is written in pieces.
func (k *Kernel) onTerminal(f *file) bool {
	if k.term == nil || f.class != fdTTY {
		return false
	}
	return !f.isMaster()
}
