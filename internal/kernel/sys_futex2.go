package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Flags and limits of the calls that futex(2) was taken apart into
// (linux/futex.h, FUTEX2_*).
const (
	futex2SizeMask = 3
	futex2SizeU32  = 2
	futex2Private  = 128
	futexVectorMax = 128
)

// futex2Flags: the kernel has futexes of 32 bits only; those that depend on
// memory nodes are refused as by a kernel without CONFIG_NUMA.
func futex2Flags(flags uint64) bool {
	return flags&^(futex2SizeMask|futex2Private) == 0 && flags&futex2SizeMask == futex2SizeU32
}

// futexDeadline sets the absolute timeout of a futex2 call.
func (k *Kernel) futexDeadline(t *Task, ts uint64, clock int) unix.Errno {
	if ts == 0 {
		return 0
	}
	ns, valid, ok := t.timespec(ts)
	switch {
	case clock != unix.CLOCK_MONOTONIC && clock != unix.CLOCK_REALTIME:
		return unix.EINVAL
	case !ok:
		return unix.EFAULT
	case !valid:
		return unix.EINVAL
	}
	if clock == unix.CLOCK_MONOTONIC {
		ns = satAdd(ns, k.cfg.Machine.BootTime)
	}
	t.restart = restart{nr: t.callNr, deadline: ns, set: true}
	return 0
}

// futexVector waits on several futexes at once.
type futexVector struct {
	k  *Kernel
	ws []*futexWaiter
}

func (v *futexVector) served() bool { return v.woken() >= 0 }

func (v *futexVector) leave() {
	for _, w := range v.ws {
		v.k.futexes.drop(w)
	}
}

// woken is the index of the last futex that woke the vector, or -1.
func (v *futexVector) woken() int {
	for i := len(v.ws) - 1; i >= 0; i-- {
		if v.ws[i].woken {
			return i
		}
	}
	return -1
}

// futexWord is struct futex_waitv.
type futexWord struct {
	val   uint64
	addr  uint64
	flags uint64
	spare uint32
}

func (t *Task) futexWords(addr uint64, n int) ([]futexWord, unix.Errno) {
	b := make([]byte, 24*n)
	if !t.read(addr, b) {
		return nil, unix.EFAULT
	}
	out := make([]futexWord, n)
	for i := range out {
		p := b[24*i:]
		out[i] = futexWord{
			val:   binary.LittleEndian.Uint64(p),
			addr:  binary.LittleEndian.Uint64(p[8:]),
			flags: uint64(binary.LittleEndian.Uint32(p[16:])),
			spare: binary.LittleEndian.Uint32(p[20:]),
		}
		if x := out[i]; !futex2Flags(x.flags) || x.spare != 0 || x.val>>32 != 0 {
			return nil, unix.EINVAL
		}
	}
	return out, 0
}

// futex_waitv(2).
func sysFutexWaitv(k *Kernel, t *Task) verdict {
	n := uint32(t.arg(1))
	if uint32(t.arg(2)) != 0 || n == 0 || n > futexVectorMax || t.arg(0) == 0 {
		return t.fail(unix.EINVAL)
	}
	if e := k.futexDeadline(t, t.arg(3), t.intArg(4)); e != 0 {
		return t.fail(e)
	}
	words, e := t.futexWords(t.arg(0), int(n))
	if e != 0 {
		t.restart = restart{}
		return t.fail(e)
	}
	return k.futexSleep(t, words, ^uint32(0), true)
}

// futex_wait(2).
func sysFutexWait(k *Kernel, t *Task) verdict {
	w := futexWord{addr: t.arg(0), val: t.arg(1), flags: uint64(uint32(t.arg(3)))}
	mask := t.arg(2)
	if !futex2Flags(w.flags) || w.val>>32 != 0 || mask>>32 != 0 {
		return t.fail(unix.EINVAL)
	}
	if e := k.futexDeadline(t, t.arg(4), t.intArg(5)); e != 0 {
		return t.fail(e)
	}
	if mask == 0 {
		t.restart = restart{}
		return t.fail(unix.EINVAL)
	}
	return k.futexSleep(t, []futexWord{w}, uint32(mask), false)
}

// futexSleep parks t on all words, if each has its value.
func (k *Kernel) futexSleep(t *Task, words []futexWord, mask uint32, index bool) verdict {
	v := &futexVector{k: k}
	e := unix.Errno(0)
	for _, x := range words {
		if x.addr&3 != 0 {
			e = unix.EINVAL
			break
		}
	}
	for i := 0; i < len(words) && e == 0; i++ {
		x := words[i]
		var key futexKey
		if key, e = k.futexKey(t, x.addr, x.flags&futex2Private != 0, false); e != 0 {
			break
		}
		now, ok := t.readU32(x.addr)
		switch {
		case !ok:
			e = unix.EFAULT
		case uint64(now) != x.val:
			e = unix.EAGAIN
		}
		v.ws = append(v.ws, &futexWaiter{key: key, task: t, addr: x.addr, val: uint32(x.val), bitset: mask})
	}
	if e == 0 && t.restart.set && t.restart.deadline <= k.Now() {
		e = unix.ETIMEDOUT
	}
	if e != 0 {
		t.restart = restart{}
		return t.fail(e)
	}
	for _, w := range v.ws {
		k.futexes.add(w)
	}
	return k.standIn(t, "futex", v, unix.ETIMEDOUT, erestartsys, func() verdict {
		if index {
			return t.done(int64(v.woken()))
		}
		return t.done(0)
	})
}

// futex_wake(2).
func sysFutexWake(k *Kernel, t *Task) verdict {
	addr, mask, n, flags := t.arg(0), t.arg(1), t.intArg(2), uint64(uint32(t.arg(3)))
	if !futex2Flags(flags) || mask>>32 != 0 || mask == 0 || addr&3 != 0 {
		return t.fail(unix.EINVAL)
	}
	if n == 0 { // unlike FUTEX_WAKE, which wakes at least one
		return t.done(0)
	}
	key, e := k.futexKey(t, addr, flags&futex2Private != 0, false)
	if e != 0 {
		return t.fail(e)
	}
	return t.count(k.futexWake(key, max(n, 1), uint32(mask)))
}

// futex_requeue(2): wakes some, and moves some to the second futex.
func sysFutexRequeue(k *Kernel, t *Task) verdict {
	wake, move := t.intArg(2), t.intArg(3)
	if uint32(t.arg(1)) != 0 || t.arg(0) == 0 {
		return t.fail(unix.EINVAL)
	}
	words, e := t.futexWords(t.arg(0), 2)
	if e != 0 {
		return t.fail(e)
	}
	if wake < 0 || move < 0 || words[0].addr&3 != 0 || words[1].addr&3 != 0 {
		return t.fail(unix.EINVAL)
	}
	v, ok := t.readU32(words[0].addr)
	if _, ok2 := t.readU32(words[1].addr); !ok || !ok2 {
		return t.fail(unix.EFAULT)
	}
	if uint64(v) != words[0].val {
		return t.fail(unix.EAGAIN)
	}
	from, e1 := k.futexKey(t, words[0].addr, words[0].flags&futex2Private != 0, false)
	to, e2 := k.futexKey(t, words[1].addr, words[1].flags&futex2Private != 0, false)
	if e1 != 0 || e2 != 0 {
		return t.fail(max(e1, e2))
	}
	return t.count(k.futexRequeue(from, to, wake, move))
}
