package kernel

import (
	"testing"

	"dettrace/internal/door"
	"dettrace/internal/sched"
)

// Who computes is alone only if nobody else can have the turn without a call of it.
func TestAlone(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(k *Kernel, o *Task)
		want bool
	}{
		{"waits for a child", func(_ *Kernel, o *Task) { o.wait = waitFor{what: "exit of a child", children: true} }, true},
		{"waits for a signal", func(_ *Kernel, o *Task) { o.wait = waitFor{what: "signal"} }, true},
		{"waits for a futex", func(_ *Kernel, o *Task) { o.wait = waitFor{what: "futex", futex: &futexWaiter{}} }, true},
		{"waits for a pipe", func(_ *Kernel, o *Task) { o.wait = waitFor{what: "read", fds: []waitFD{{}}} }, false},
		{"waits in a loop", func(_ *Kernel, o *Task) { o.wait = waitFor{what: "memory to change", spin: &spin{}} }, false},
		{"waits for a file lock", func(_ *Kernel, o *Task) { o.wait = waitFor{what: "lock", lock: true} }, false},
		{"waits for a FIFO", func(_ *Kernel, o *Task) { o.wait = waitFor{what: "open", fifo: streamID{1, 2}} }, false},
		{"a timer is set", func(k *Kernel, _ *Task) { k.sched.AddTimer(9, nil) }, false},
		{"can go on", func(k *Kernel, o *Task) { k.sched.Wake(o.th) }, false},
		{"a door is open", func(k *Kernel, _ *Task) { k.cfg.Open = door.Set{Time: true} }, false},
	} {
		k := &Kernel{sched: sched.New(0, 100)}
		other, self := &Task{}, &Task{}
		k.order = []*Task{other, self}
		for _, x := range k.order {
			x.th = k.sched.Add(x)
		}
		k.sched.Park(k.sched.Next(), -1)
		k.sched.Next()
		tt.set(k, other)
		if got := k.alone(self); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// Whoever dozes is woken when a thread is resumed, once, and at once if one was already.
func TestDoze(t *testing.T) {
	k, woken := &Kernel{}, 0
	wake := func() { woken++ }
	k.heart.beat(1)
	_, n := k.Pulse()
	k.Doze(n, &wake)
	if woken != 0 {
		t.Errorf("woken %d times while the thread goes on", woken)
	}
	k.heart.beat(1)
	k.heart.beat(1)
	if woken != 1 {
		t.Errorf("woken %d times by two resumes, want once", woken)
	}
	if k.Doze(n, &wake); woken != 2 {
		t.Errorf("woken %d times, want 2: the thread was resumed before", woken)
	}
}
