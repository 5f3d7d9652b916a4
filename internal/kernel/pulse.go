package kernel

import "sync/atomic"

// heartbeat is what another goroutine may know of the running thread. It is
// written by the tracing thread only and decides nothing in here.
type heartbeat struct {
	tid     atomic.Int64 // host tid
	resumes atomic.Uint64
}

func (h *heartbeat) beat(tid int) {
	h.tid.Store(int64(tid))
	h.resumes.Add(1)
}

// Pulse is the host id of the thread that was resumed last and how many times
// any was. Safe for any goroutine.
func (k *Kernel) Pulse() (tid int, resumes uint64) {
	return int(k.heart.tid.Load()), k.heart.resumes.Load()
}
