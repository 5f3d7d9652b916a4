package kernel

import "golang.org/x/sys/unix"

// waitQueue is a place in a queue of the supervisor's own where a parked task
// stands until somebody serves it: the server takes it out, keeps the result
// beside it and wakes the task.
type waitQueue interface {
	served() bool
	leave() // gives up the place, if it still has one
}

// standIn parks t until it is served; finish then ends the call. A deadline in
// t.restart ends the wait with late, a signal with the code intr.
func (k *Kernel) standIn(t *Task, what string, q waitQueue, late unix.Errno, intr int64, finish func() verdict) verdict {
	t.wait = waitFor{what: what, queue: q}
	t.onTurn = func(t *Task) verdict {
		due := t.restart.set && k.Now() >= t.restart.deadline
		t.sigWake, t.restart = false, restart{}
		switch {
		case q.served():
			return finish()
		case due:
			return t.fail(late)
		}
		return k.interruptedWith(t, intr)
	}
	return park
}

// keepsPlace reports that t waits in a queue and nobody has served it yet.
func (w *waitFor) keepsPlace() bool {
	if w.futex != nil {
		return !w.futex.woken
	}
	return w.queue != nil && !w.queue.served()
}
