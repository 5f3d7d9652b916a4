package kernel

import (
	"sync"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
	"dettrace/internal/host"
	"dettrace/internal/ptrace"
)

// With --allow signals what dettrace is sent goes to the command, and a guest
// whose threads all wait is not deadlocked: it waits for the outside.

// outsideSignals have come and are not sent yet.
type outsideSignals struct {
	mu   sync.Mutex
	list []unix.Signal
}

func (o *outsideSignals) waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.list) > 0
}

func (o *outsideSignals) take() []unix.Signal {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.list
	o.list = nil
	return list
}

// Signal sends sig to the command, from any goroutine. It comes when the
// supervisor is next awake; Remind sees to that.
func (k *Kernel) Signal(sig unix.Signal) {
	o := &k.outside
	o.mu.Lock()
	o.list = append(o.list, sig)
	o.mu.Unlock()
	k.Remind()
}

// Remind wakes a supervisor that waits while signals are to be sent. A call may
// be lost; callers repeat it. Safe for any goroutine.
func (k *Kernel) Remind() {
	if tid := k.heart.tracer.Load(); tid != 0 && k.outside.waiting() {
		ptrace.Nudge(int(tid))
	}
}

// forwardSignals sends what has come: as a terminal does where one would, to
// the command's whole process group.
func (k *Kernel) forwardSignals() {
	if !k.cfg.Open.Signals {
		return
	}
	for _, sig := range k.outside.take() {
		if k.root == nil || k.procs[k.root.pid] != k.root {
			return
		}
		k.door(door.Signals)
		to := k.root.pid
		switch sig {
		case unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH:
			if g, err := unix.Getpgid(to); err == nil && g == to { // the leader of a session of its own
				to = -g
			}
		}
		k.sent()
		_ = unix.Kill(to, sig)
		k.wakeAllSignalled()
	}
}

// awaitSignal waits until a signal comes from outside, where that door is open
// and nothing else can happen any more.
func (k *Kernel) awaitSignal() bool {
	if !k.cfg.Open.Signals {
		return false
	}
	for k.stopped.Load() == nil && !k.outside.waiting() {
		host.Sleep(waitSlice)
	}
	return true
}
