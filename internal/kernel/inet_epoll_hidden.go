package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// Events of internet sockets in epoll sets that the unix sockets behind them do not have:
// the end of reading that shutdown(2) makes on this side, the refusal of a datagram that
// somebody waits for without EPOLLIN.

// epollKey is the epoll set that t's call is about, for what it was told.
func (t *Task) epollKey() inet.Waiter { return inet.Waiter{Process: t.proc.vpid, FD: t.intArg(0)} }

// hidden reports that e has events of which the kernel says nothing. For an edge there
// must have been a change of which w, the set, was not told.
func (e *inetEntry) hidden(w inet.Waiter) bool {
	switch {
	case e.s == nil || e.used || e.told == 0 || !e.armed():
		return false
	case e.events&unix.EPOLLET != 0 && e.events&unix.EPOLLONESHOT == 0:
		return e.s.Untold(w)
	}
	return e.native == 0
}

// epollHidden answers t's epoll_wait(2) where there are hidden events in the set f; ok is
// false where there are none. Those with EPOLLONESHOT come one by one, because the call
// becomes the epoll_ctl(2) that disarms them.
func (k *Kernel) epollHidden(t *Task, f *file) (v verdict, ok bool) {
	var once, some *inetEntry
	list := k.epollInet(t, f)
	t.epollInet = list
	for i := range list {
		e := &list[i]
		if !e.hidden(t.epollKey()) {
			continue
		}
		if e.events&unix.EPOLLONESHOT != 0 && once == nil {
			once = e
		} else {
			some = e
		}
	}
	entry := t.regs
	switch {
	case once != nil:
		at, ok := t.lend(uint64(once.events&epollFlags)|once.data<<32, once.data>>32)
		if !ok {
			return t.fail(unix.EFAULT), true
		}
		t.regs.Orig_rax = unix.SYS_EPOLL_CTL
		t.setArg(1, unix.EPOLL_CTL_MOD)
		t.setArg(2, uint64(once.n))
		t.setArg(3, at)
		t.rewrite()
		t.onExit = func(t *Task) {
			t.epollOver = true
			t.endWith(entry, 1)
			if !t.writeU64(t.arg(1), uint64(once.told)|once.data<<32) || !t.writeU32(t.arg(1)+8, uint32(once.data>>32)) {
				t.endWith(entry, -int64(unix.EFAULT))
			}
		}
	case some != nil: // which putEpoll adds
		t.epollAtOnce()
		t.onExit = func(t *Task) { t.endWith(entry, t.result()) }
	default:
		return pass, false
	}
	t.epollLeft, t.restart = t.restart, restart{}
	return toExit, true
}
