package ptrace

import (
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// Quiet makes the calling, locked thread fit for raw waits and returns what
// undoes it. The runtime's preemption signal is blocked on it (a wait is not a
// loop that must be interrupted), and garbage is collected only by Collect,
// between two waits: a collection that another goroutine started would stop
// the world until the guest's next stop, which may never come.
func Quiet() (undo func()) {
	var urg, old unix.Sigset_t
	urg.Val[0] = 1 << (uint(unix.SIGURG) - 1)
	masked := unix.PthreadSigmask(unix.SIG_BLOCK, &urg, &old) == nil
	percent := debug.SetGCPercent(-1)
	loud := muteSIGCHLD()
	still := nudgeable()
	return func() {
		still()
		loud()
		debug.SetGCPercent(percent)
		if masked {
			_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
		}
	}
}

// Collector collects garbage when enough has come together.
type Collector struct {
	calls int
	last  uint64
}

// Tick is called once per turn; now and then it looks at the heap.
func (c *Collector) Tick() {
	if c.calls++; c.calls%4096 != 0 {
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > c.last*2+16<<20 {
		runtime.GC()
		runtime.ReadMemStats(&m)
		c.last = m.HeapAlloc
	}
}
