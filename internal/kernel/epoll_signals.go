package kernel

import "golang.org/x/sys/unix"

// A signalfd gives the signals of whoever asks (signalfd(2)), so an epoll set
// with one in it is ready or not depending on who polls it. Worse, polling it
// from outside takes the signalfd off its list of ready files for good
// (__ep_eventpoll_poll, fs/eventpoll.c). Such a set is therefore never polled
// by us: its files are, one by one, and the guest then asks the set itself.

// sysSignalfd implements signalfd(2): notes that one may exist from now on.
func sysSignalfd(k *Kernel, _ *Task) verdict {
	k.signalfds = true
	return pass
}

// epollSignals looks into the epoll set f. mask is what its signalfds accept,
// 0 if there is none; fds are duplicates of its other files.
func (k *Kernel) epollSignals(t *Task, f *file) (fds []waitFD, mask uint64) {
	list, _ := k.epollEntries(f)
	for _, e := range list {
		g := k.file(t, e.n)
		if m, ok := g.signalfdMask(); ok {
			g.close()
			if e.events&unix.EPOLLIN != 0 {
				mask |= m
			}
		} else if g.class != fdBad {
			fds = append(fds, waitFD{fd: g.fd, events: e.events &^ epollFlags})
		}
	}
	if mask == 0 {
		for i := range fds {
			unix.Close(fds[i].fd)
		}
		return nil, 0
	}
	return fds, mask
}

// epollTry asks the set when one of its files is ready, and waits otherwise.
// A ready file need not make the set ready (EPOLLET, EPOLLONESHOT): then the
// next try comes when somebody else has done something.
func (k *Kernel) epollTry(t *Task, w waitFor) verdict {
	s, ok := t.sigState()
	ready := !ok || s.pending&w.sigfd != 0
	for i := range w.fds {
		f := file{fd: w.fds[i].fd}
		ready = ready || f.ready(int16(uint16(w.fds[i].events)))
	}
	entry := t.regs
	if !ready {
		t.wait = w
		t.onTurn = k.epollCall
		return park
	}
	for i := range w.fds {
		unix.Close(w.fds[i].fd)
	}
	w.fds = nil
	t.epollAtOnce()
	t.onExit = func(t *Task) {
		r := t.result()
		if r != 0 {
			t.endWith(entry, r)
			return
		}
		w.lock = true
		t.wait = w
		t.onTurn = epollAgain(entry)
	}
	return toExit
}
