package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/schedattr"
)

// The attributes of threads for the kernel's scheduler are kept here and never
// reach the kernel (package schedattr): the supervisor's order of threads does
// not follow from them, and the kernel's would let the host's limits show.

// sched_yield(2) gives the turn to the next ready thread.
func sysSchedYield(k *Kernel, t *Task) verdict {
	k.yields = true
	t.preempt = t.preempt || k.cfg.Policy != nil || k.tame || !k.alone(t)
	return t.done(0)
}

// attrOwner is a thread whose attributes are asked for or changed.
type attrOwner struct {
	tid  int // host
	attr *schedattr.Attr
}

// attrOf finds the thread that a pid argument means; 0 is the caller. A zombie
// has its attributes still.
func (k *Kernel) attrOf(t *Task, vtid int) (attrOwner, bool) {
	switch vtid {
	case 0:
		return attrOwner{t.tid, &t.attr}, true
	case 1:
		return attrOwner{k.init, &k.initAttr}, true
	}
	for _, o := range k.order {
		if o.vtid == vtid {
			return attrOwner{o.tid, &o.attr}, true
		}
	}
	if d := k.ended[vtid]; d != nil && unix.Kill(d.pid, 0) == nil {
		return attrOwner{d.pid, &d.attr}, true
	}
	return attrOwner{}, false
}

// userIDs are the real and the effective user id of a thread, as the guest
// knows them.
func (k *Kernel) userIDs(tid int) (real, effective uint32) {
	if k.cfg.SingleID {
		return 0, 0
	}
	if o := k.tasks[tid]; o != nil {
		c := k.cred(o)
		return c.uid, c.euid
	}
	b, _ := readStatus(tid)
	f := statusIDs(b, "Uid:\t")
	if len(f) != 4 {
		return overflowID, overflowID
	}
	m := idMap(k.root.pid, "uid_map")
	return toGuest(m, f[0]), toGuest(m, f[1])
}

// rights are what t may do to o (sched(7), setpriority(2)).
func (k *Kernel) rights(t *Task, o attrOwner) schedattr.Rights {
	r := schedattr.Rights{Owner: o.tid == t.tid, SysNice: hasCap(t.tid, unix.CAP_SYS_NICE)}
	if !r.Owner {
		_, me := k.userIDs(t.tid)
		uid, euid := k.userIDs(o.tid)
		r.Owner = me == uid || me == euid
	}
	var l unix.Rlimit
	if unix.Prlimit(o.tid, unix.RLIMIT_NICE, nil, &l) == nil {
		r.Nice = l.Cur
	}
	if unix.Prlimit(o.tid, unix.RLIMIT_RTPRIO, nil, &l) == nil {
		r.RTPrio = l.Cur
	}
	return r
}

func sysSchedSetscheduler(k *Kernel, t *Task) verdict {
	policy := t.intArg(1)
	if policy < 0 {
		return t.fail(unix.EINVAL)
	}
	return k.setParam(t, t.arg(2), func(a *schedattr.Attr, priority int, r schedattr.Rights) unix.Errno {
		return a.SetScheduler(policy, priority, r)
	})
}

func sysSchedSetparam(k *Kernel, t *Task) verdict {
	return k.setParam(t, t.arg(1), (*schedattr.Attr).SetParam)
}

// setParam is what sched_setscheduler(2) and sched_setparam(2) have in common.
func (k *Kernel) setParam(t *Task, addr uint64, set func(*schedattr.Attr, int, schedattr.Rights) unix.Errno) verdict {
	if addr == 0 || t.intArg(0) < 0 {
		return t.fail(unix.EINVAL)
	}
	priority, ok := t.readU32(addr)
	if !ok {
		return t.fail(unix.EFAULT)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	return t.errno(set(o.attr, int(int32(priority)), k.rights(t, o)))
}

// errno answers a call that has no other result.
func (t *Task) errno(e unix.Errno) verdict { return t.done(-int64(e)) }

func sysSchedGetscheduler(k *Kernel, t *Task) verdict {
	if t.intArg(0) < 0 {
		return t.fail(unix.EINVAL)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	return t.done(int64(o.attr.Scheduler()))
}

func sysSchedGetparam(k *Kernel, t *Task) verdict {
	if t.arg(1) == 0 || t.intArg(0) < 0 {
		return t.fail(unix.EINVAL)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	if !t.writeU32(t.arg(1), uint32(o.attr.Priority)) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

func sysSchedSetattr(k *Kernel, t *Task) verdict {
	if t.arg(1) == 0 || t.intArg(0) < 0 || uint32(t.arg(2)) != 0 {
		return t.fail(unix.EINVAL)
	}
	size, ok := t.readU32(t.arg(1))
	if !ok {
		return t.fail(unix.EFAULT)
	}
	var b []byte
	if size <= schedattr.MaxAttrSize {
		b = make([]byte, max(size, schedattr.MinAttrSize))
		if !t.read(t.arg(1), b) {
			return t.fail(unix.EFAULT)
		}
	}
	c, e := schedattr.Parse(b, size)
	if e == unix.E2BIG && !t.writeU32(t.arg(1), schedattr.AttrSize) {
		return t.fail(unix.EFAULT)
	}
	if e != 0 {
		return t.fail(e)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	return t.errno(o.attr.SetAttr(c, k.rights(t, o)))
}

func sysSchedGetattr(k *Kernel, t *Task) verdict {
	size := uint32(t.arg(2))
	if t.arg(1) == 0 || t.intArg(0) < 0 || size > schedattr.MaxAttrSize || size < schedattr.MinAttrSize || uint32(t.arg(3)) != 0 {
		return t.fail(unix.EINVAL)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	if !t.write(t.arg(1), o.attr.Append(nil, int(size), k.cfg.Machine.CPUs)) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

func sysSchedRRGetInterval(k *Kernel, t *Task) verdict {
	if t.intArg(0) < 0 {
		return t.fail(unix.EINVAL)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	return t.putTimespec(t.arg(1), o.attr.Interval(k.cfg.Machine.CPUs))
}

func sysSchedPriorityRange(k *Kernel, t *Task) verdict {
	lowest, highest, ok := schedattr.PriorityRange(t.intArg(0))
	switch {
	case !ok:
		return t.fail(unix.EINVAL)
	case t.callNr == unix.SYS_SCHED_GET_PRIORITY_MAX:
		return t.done(int64(highest))
	}
	return t.done(int64(lowest))
}

// cpus are the CPUs of the declared machine.
func (k *Kernel) cpus() schedattr.CPUSet { return schedattr.FirstCPUs(k.cfg.Machine.CPUs) }

// sched_getaffinity(2) returns the size of the kernel's mask.
func sysSchedGetaffinity(k *Kernel, t *Task) verdict {
	n, cpus := uint64(uint32(t.arg(1))), k.cfg.Machine.CPUs
	if n*8 < uint64(cpus) || n%8 != 0 {
		return t.fail(unix.EINVAL)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	k.showMachine()
	b := o.attr.CPUs.Append(nil, cpus)
	if !t.write(t.arg(2), b) {
		return t.fail(unix.EFAULT)
	}
	return t.done(int64(len(b)))
}

func sysSchedSetaffinity(k *Kernel, t *Task) verdict {
	b := make([]byte, min(int(uint32(t.arg(1))), schedattr.Bytes(k.cfg.Machine.CPUs)))
	if len(b) > 0 && !t.read(t.arg(2), b) {
		return t.fail(unix.EFAULT)
	}
	o, ok := k.attrOf(t, t.intArg(0))
	if !ok {
		return t.fail(unix.ESRCH)
	}
	if r := k.rights(t, o); !r.Owner && !r.SysNice {
		return t.fail(unix.EPERM)
	}
	m := schedattr.CPUSetOf(b).And(k.cpus())
	if m == (schedattr.CPUSet{}) {
		return t.fail(unix.EINVAL)
	}
	o.attr.CPUs = m
	return t.done(0)
}
