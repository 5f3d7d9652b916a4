package schedattr

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Change is struct sched_attr (sched_setattr(2)).
type Change struct {
	Policy                    int // keepPolicy: stays
	Flags                     uint64
	Nice                      int32
	Priority                  uint32
	Runtime, Deadline, Period uint64 // ns
}

// Flags of struct sched_attr (linux/sched.h).
const (
	flagReset      = 0x01
	flagKeepPolicy = 0x08
	flagKeepParams = 0x10
	flagsClamp     = 0x60
	flagsAll       = 0x7f
)

// Sizes of struct sched_attr: the first version's, that of 6.12, and the most
// that a caller may say, which is a page.
const (
	MinAttrSize = 48
	AttrSize    = 56
	MaxAttrSize = 4096
)

// Parse reads the struct sched_attr in b, which says to have size bytes; 0 means
// MinAttrSize. E2BIG is for sizes that the kernel answers with its own.
func Parse(b []byte, size uint32) (Change, unix.Errno) {
	if size == 0 {
		size = MinAttrSize
	}
	if size < MinAttrSize || size > MaxAttrSize || int(size) > len(b) {
		return Change{}, unix.E2BIG
	}
	b = b[:size]
	var full [AttrSize]byte
	for _, x := range b[copy(full[:], b):] {
		if x != 0 { // something that this version does not know
			return Change{}, unix.E2BIG
		}
	}
	le := binary.LittleEndian
	c := Change{
		Policy: int(int32(le.Uint32(full[4:]))), Flags: le.Uint64(full[8:]), Nice: int32(le.Uint32(full[16:])),
		Priority: le.Uint32(full[20:]), Runtime: le.Uint64(full[24:]), Deadline: le.Uint64(full[32:]), Period: le.Uint64(full[40:]),
	}
	if c.Flags&flagsClamp != 0 && size < AttrSize {
		return Change{}, unix.EINVAL
	}
	c.Nice = min(max(c.Nice, -20), 19)
	if c.Policy < 0 {
		return Change{}, unix.EINVAL
	}
	if c.Flags&flagKeepPolicy != 0 {
		c.Policy = keepPolicy
	}
	return c, 0
}

// deadlineValid is __checkparam_dl() of kernel/sched/deadline.c: runtime <=
// deadline <= period, in the range that sched_deadline_period_*_us allow.
func (c *Change) deadlineValid() bool {
	period := c.Period
	if period == 0 {
		period = c.Deadline
	}
	return c.Deadline != 0 && c.Runtime >= 1024 && c.Deadline>>63 == 0 && period>>63 == 0 &&
		period >= c.Deadline && c.Deadline >= c.Runtime && period >= 100_000 && period <= 1<<22*1000
}

// SetAttr is sched_setattr(2).
func (a *Attr) SetAttr(c Change, r Rights) unix.Errno {
	if c.Flags&flagKeepParams != 0 { // get_params()
		switch {
		case realTime(a.Policy):
			c.Priority = uint32(a.Priority)
		default:
			c.Nice, c.Runtime = int32(a.Nice), a.slice(1)
		}
	}
	return a.set(&c, r)
}

// Append adds the struct sched_attr that sched_getattr(2) gives where there is
// room for size bytes, on a machine with so many CPUs.
func (a *Attr) Append(out []byte, size, cpus int) []byte {
	var b [AttrSize]byte
	size = min(size, AttrSize)
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(size))
	le.PutUint32(b[4:], uint32(a.Policy))
	if a.Reset {
		le.PutUint64(b[8:], flagReset)
	}
	if realTime(a.Policy) {
		le.PutUint32(b[20:], uint32(a.Priority))
	} else {
		le.PutUint32(b[16:], uint32(int32(a.Nice)))
		le.PutUint64(b[24:], a.slice(cpus))
	}
	return append(out, b[:size]...)
}
