package kernel

import "dettrace/internal/door"

// Whether a signal is queued for a thread that begins to wait takes two requests to
// the kernel, a tenth of what a hand-over costs. They are made only where one may be:
//
//   - A thread that runs its program has no signal pending but those it blocks. As it
//     leaves a stop, the kernel looks at both queues (the end of ptrace_stop, in
//     kernel/signal.c), and before it is back in the program each signal has been
//     delivered, with a stop of its own (exit_to_user_mode_loop).
//   - From there to the next call it alone has the turn. What it sends to itself, also
//     by what it does (SIGPIPE, SIGXFSZ, faults), is delivered at the end of the call
//     that did it; what it unblocks, too.
//
// So at the entry of a call that it came to in this turn, only a sender that needs no
// turn can have left one, and each of them makes us ask, be it that it sends between
// turns only:
//
//	sender                                              known by
//	timers of the guest, sockets that are ours          Kernel.sends (sendSignal, ...)
//	ends of threads and processes while it runs         Kernel.sends (removeTask)
//	stops of job control, and their ends                Kernel.sends (groupStop, relook)
//	files with an owner (O_ASYNC, FIOASYNC)             Kernel.async
//	terminals, by a work queue of the kernel            Kernel.terminals
//	the world outside                                   the doors
//
// Others do not exist: limits of CPU time are never the kernel's (sys_rlimit.go),
// leases and F_NOTIFY are refused, as are io_uring and AIO, and mq_notify(3) sends
// while the sender has the turn. What the call itself unblocks or takes is asked for:
// ppoll(2), sigtimedwait(2), signalfd(2).

// sent notes that somebody who has not the turn may have sent a signal.
func (k *Kernel) sent() { k.sends++ }

// calm reports that no signal can be there that would end the wait that t begins. It may
// say no.
func (k *Kernel) calm(t *Task) bool {
	return t.sends == k.sends && !t.stopping && !t.wait.hasMask && t.wait.sigfd == 0 &&
		!k.async && !k.terminals && k.cfg.Open == (door.Set{})
}
