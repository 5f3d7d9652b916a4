package schedattr

import "golang.org/x/sys/unix"

// Classes of ioprio_set(2), in the three highest of 16 bits.
const (
	ioNone = iota
	ioRealTime
	ioBestEffort
	ioIdle

	ioClassShift = 13
	ioLevels     = 8 // the three lowest bits; those between are hints (since 6.5)
)

// SetIOPrio is ioprio_set(2) for one thread.
func (a *Attr) SetIOPrio(v int, r Rights) unix.Errno {
	if !r.Owner && !r.SysNice {
		return unix.EPERM
	}
	a.IOPrio = v & 0xffff
	return 0
}

// CheckIOPrio is what ioprio_set(2) wants of a value before it looks for threads.
func CheckIOPrio(v int, sysNice bool) unix.Errno {
	switch v >> ioClassShift & 7 {
	case ioRealTime:
		if !sysNice {
			return unix.EPERM
		}
	case ioBestEffort, ioIdle:
	case ioNone:
		if v&(ioLevels-1) != 0 {
			return unix.EINVAL
		}
	default:
		return unix.EINVAL
	}
	return 0
}

// EffectiveIOPrio is the value with which threads are compared: one that was
// not set follows policy and nice level (ioprio_get(2)).
func (a *Attr) EffectiveIOPrio() int {
	class := ioBestEffort
	switch {
	case a.IOPrio>>ioClassShift != ioNone:
		return a.IOPrio
	case a.Policy == Idle:
		class = ioIdle
	case realTime(a.Policy):
		class = ioRealTime
	}
	return class<<ioClassShift | (a.Nice+20)/5
}
