package kernel

import (
	"testing"

	"dettrace/internal/sched"
)

// A removed segment is known as long as it is attached somewhere, and no longer.
func TestRemovedSegments(t *testing.T) {
	k := &Kernel{sched: sched.New(5e9, 1)}
	first, second := &mmID{}, &mmID{}
	for id := range 3 {
		k.shms = append(k.shms, &shmSegment{id: id})
	}
	k.shmAttached = []shmAttach{{first, 1, k.shms[0]}, {second, 1, k.shms[0]}, {first, 2, k.shms[1]}}
	k.shms[0].removed = true
	detach := func(mm *mmID) { k.shmDetach(func(a shmAttach) bool { return a.mm == mm }) }
	detach(first)
	if s := k.shmSegment(0); s == nil || s.dtime != 5 {
		t.Errorf("attached still: %v", s)
	}
	detach(second)
	if k.shmSegment(0) != nil || k.shmSegment(1) == nil || k.shmSegment(2) == nil || len(k.shmAttached) != 0 {
		t.Errorf("after the last: %v, %v", k.shms, k.shmAttached)
	}
}
