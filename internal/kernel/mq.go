package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// POSIX message queues are the kernel's: they are descriptors that are polled,
// passed on and seen below /dev/mqueue. Only who waits stands in queues of
// ours, so the kernel never finds a sleeper. What it does for sleepers is done
// here, at the same moments: a message goes straight to the receiver that waits
// longest, and a message that is taken makes room for the sender that waits
// longest (ipc/mqueue.c, pipelined_send and pipelined_receive).

// mqQueue is who waits for one queue.
type mqQueue struct {
	receivers, senders []*mqWaiter
}

// mqWaiter is a parked mq_timedreceive(2) or mq_timedsend(2).
type mqWaiter struct {
	k    *Kernel
	task *Task
	ino  uint64 // of the queue
	fd   int    // ours: the call holds the queue, as in the kernel
	send bool
	msg  []byte // to send, or received
	prio uint32
	done bool
}

func (w *mqWaiter) served() bool { return w.done }

func (w *mqWaiter) leave() {
	if w.fd < 0 {
		return
	}
	unix.Close(w.fd)
	w.fd = -1
	q := w.k.mqs[w.ino]
	if w.send {
		q.senders = without(q.senders, w)
	} else {
		q.receivers = without(q.receivers, w)
	}
	if len(q.senders)+len(q.receivers) == 0 {
		delete(w.k.mqs, w.ino)
	}
}

// mqJoin puts a waiter at the end of its queue.
func (k *Kernel) mqJoin(w *mqWaiter) {
	q := k.mqs[w.ino]
	if q == nil {
		q = &mqQueue{}
		k.mqs[w.ino] = q
	}
	if w.send {
		q.senders = append(q.senders, w)
	} else {
		q.receivers = append(q.receivers, w)
	}
}

// mqServed wakes a waiter whose call is done.
func (k *Kernel) mqServed(w *mqWaiter) {
	w.leave()
	w.done = true
	k.sched.Wake(w.task.th)
}

// mqReceiver and mqSender are those who wait longest, or nil.
func (k *Kernel) mqReceiver(ino uint64) *mqWaiter {
	if q := k.mqs[ino]; q != nil && len(q.receivers) > 0 {
		return q.receivers[0]
	}
	return nil
}

func (k *Kernel) mqSender(ino uint64) *mqWaiter {
	if q := k.mqs[ino]; q != nil && len(q.senders) > 0 {
		return q.senders[0]
	}
	return nil
}

// mqTaken lets a sender in after a message was taken.
func (k *Kernel) mqTaken(ino uint64) {
	w := k.mqSender(ino)
	if w == nil {
		return
	}
	if err := mqSend(w.fd, w.msg, w.prio); err != nil {
		k.Stop(fmt.Errorf("send the message of a parked mq_timedsend: %w", err))
		return
	}
	k.mqServed(w)
}

// mqWait parks t, which stands at the exit of a call that was tried without
// blocking, until it is served.
func (k *Kernel) mqWait(t *Task, w *mqWaiter, entry ptrace.Regs) {
	what := "a message in a POSIX queue"
	if w.send {
		what = "room in a POSIX message queue"
	}
	if ts := entry.R8; ts != 0 {
		ns, valid, ok := t.timespec(ts)
		if !ok || !valid || ns <= k.Now() { // the kernel has found it good
			unix.Close(w.fd)
			t.endWith(entry, -int64(unix.ETIMEDOUT))
			return
		}
		t.restart = restart{nr: t.callNr, deadline: ns, set: true}
	}
	k.mqJoin(w)
	t.wait = waitFor{what: what, queue: w}
	t.onTurn = func(t *Task) verdict {
		due := t.restart.set && k.Now() >= t.restart.deadline
		t.sigWake, t.restart = false, restart{}
		switch {
		case w.done && w.send:
			t.endWith(entry, 0)
		case w.done:
			t.endWith(entry, t.mqGive(w, &entry))
		case due:
			t.endWith(entry, -int64(unix.ETIMEDOUT))
		default:
			t.endWith(entry, -erestartsys)
		}
		return ended
	}
}

// mqGive stores a message that was handed over; one that cannot be stored is
// lost, as in the kernel.
func (t *Task) mqGive(w *mqWaiter, entry *ptrace.Regs) int64 {
	if a := entry.R10; a != 0 && !t.writeU32(a, w.prio) || len(w.msg) > 0 && !t.write(entry.Rsi, w.msg) {
		return -int64(unix.EFAULT)
	}
	return int64(len(w.msg))
}
