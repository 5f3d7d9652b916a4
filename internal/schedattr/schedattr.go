// Package schedattr keeps the attributes of a thread for the kernel's
// scheduler: policy, priority, nice level, CPUs, I/O priority (sched(7),
// ioprio_set(2)). It checks changes as Linux does and answers questions. In the
// container they have no effect on the order of threads, so they are values
// like any other.
//
// It makes no system call: who may do what, and which limits hold, the caller says.
package schedattr

import (
	"math/bits"

	"golang.org/x/sys/unix"
)

// Policies of sched(7) (linux/sched.h).
const (
	Normal   = 0
	FIFO     = 1
	RR       = 2
	Batch    = 3
	Idle     = 5
	Deadline = 6
	Ext      = 7

	// ResetOnFork is a bit beside the policy in calls older than sched_setattr(2).
	ResetOnFork = 0x40000000
)

// Attr are the attributes of one thread. The zero value is that of a fresh
// thread, but for its CPUs, which are none.
type Attr struct {
	Policy   int
	Priority int    // static priority of FIFO and RR, 1 to 99, else 0
	Nice     int    // -20 to 19, also kept under other policies than Normal and Batch
	Slice    uint64 // ns asked for with sched_setattr(2), 0: the default
	Reset    bool   // children start with the default
	IOPrio   int    // as ioprio_set(2) takes it; 0 follows the nice level
	CPUs     CPUSet
}

// Rights are what the one who changes a thread may do.
type Rights struct {
	Owner   bool   // has the thread's user id
	SysNice bool   // CAP_SYS_NICE
	Nice    uint64 // the thread's RLIMIT_NICE
	RTPrio  uint64 // the thread's RLIMIT_RTPRIO
}

// Fork gives the attributes of a child, process or thread (sched_fork() in
// kernel/sched/core.c).
func (a Attr) Fork() Attr {
	if !a.Reset {
		return a
	}
	if a.Policy == FIFO || a.Policy == RR {
		a.Policy, a.Priority, a.Nice = Normal, 0, 0
	}
	a.Nice, a.Slice, a.Reset = max(a.Nice, 0), 0, false
	return a
}

// fair are the policies without a static priority.
func fair(policy int) bool { return policy == Normal || policy == Batch }

func realTime(policy int) bool { return policy == FIFO || policy == RR }

func valid(policy int) bool {
	return fair(policy) || realTime(policy) || policy == Idle || policy == Deadline
}

// keepPolicy stands for the policy that the thread has.
const keepPolicy = -1

// SetScheduler is sched_setscheduler(2).
func (a *Attr) SetScheduler(policy, priority int, r Rights) unix.Errno {
	if policy < 0 {
		return unix.EINVAL
	}
	c := Change{Policy: policy &^ ResetOnFork, Priority: uint32(priority), Nice: int32(a.Nice), Runtime: a.Slice}
	if policy&ResetOnFork != 0 {
		c.Flags = flagReset
	}
	return a.set(&c, r)
}

// SetParam is sched_setparam(2).
func (a *Attr) SetParam(priority int, r Rights) unix.Errno {
	c := Change{Policy: keepPolicy, Priority: uint32(priority), Nice: int32(a.Nice), Runtime: a.Slice}
	return a.set(&c, r)
}

// set is __sched_setscheduler() of kernel/sched/syscalls.c.
func (a *Attr) set(c *Change, r Rights) unix.Errno {
	policy, reset := c.Policy, c.Flags&flagReset != 0
	if policy < 0 {
		policy, reset = a.Policy, a.Reset
	} else if !valid(policy) {
		return unix.EINVAL
	}
	switch {
	case c.Flags&^uint64(flagsAll) != 0, c.Priority > 99,
		policy == Deadline && !c.deadlineValid(), realTime(policy) != (c.Priority != 0):
		return unix.EINVAL
	case !r.SysNice && a.needsSysNice(c, policy, reset, r):
		return unix.EPERM
	case c.Flags&flagsClamp != 0:
		return unix.EOPNOTSUPP // as without CONFIG_UCLAMP_TASK
	case policy == Deadline:
		return unix.EPERM // admission wants root's set of CPUs; nobody in the guest has it
	}
	a.Reset = reset
	if c.Flags&flagKeepParams != 0 {
		return 0
	}
	a.Policy, a.Priority = policy, int(c.Priority)
	if fair(policy) {
		a.Nice, a.Slice = int(c.Nice), 0
		if c.Runtime != 0 {
			a.Slice = min(max(c.Runtime, 100_000), 100_000_000)
		}
	}
	return 0
}

// needsSysNice is user_check_sched_setscheduler().
func (a *Attr) needsSysNice(c *Change, policy int, reset bool, r Rights) bool {
	switch {
	case fair(policy) && int(c.Nice) < a.Nice && !r.mayNice(int(c.Nice)):
	case realTime(policy) && policy != a.Policy && r.RTPrio == 0:
	case realTime(policy) && int(c.Priority) > a.Priority && uint64(c.Priority) > r.RTPrio:
	case policy == Deadline:
	case a.Policy == Idle && policy != Idle && !r.mayNice(a.Nice):
	case !r.Owner:
	case a.Reset && !reset:
	default:
		return false
	}
	return true
}

// mayNice is is_nice_reduction().
func (r Rights) mayNice(nice int) bool { return uint64(20-nice) <= r.Nice }

// SetNice is setpriority(2) for one thread.
func (a *Attr) SetNice(nice int, r Rights) unix.Errno {
	nice = min(max(nice, -20), 19)
	switch {
	case !r.Owner && !r.SysNice:
		return unix.EPERM
	case nice < a.Nice && !r.mayNice(nice) && !r.SysNice:
		return unix.EACCES
	}
	a.Nice = nice
	return 0
}

// Scheduler is the result of sched_getscheduler(2).
func (a *Attr) Scheduler() int {
	if a.Reset {
		return a.Policy | ResetOnFork
	}
	return a.Policy
}

// slice is what a thread gets at once, in ns: of 6.12, which scales it with
// the number of CPUs (get_update_sysctl_factor() in kernel/sched/fair.c).
func (a *Attr) slice(cpus int) uint64 {
	if a.Slice != 0 {
		return a.Slice
	}
	return 750_000 * uint64(bits.Len(uint(min(max(cpus, 1), 8))))
}

// Interval is the result of sched_rr_get_interval(2) in ns, on a machine with
// so many CPUs: other policies than RR count in jiffies, of which there are 250
// in a second.
func (a *Attr) Interval(cpus int) int64 {
	const jiffy = 4_000_000
	switch a.Policy {
	case RR:
		return 100_000_000
	case FIFO:
		return 0
	}
	return int64(a.slice(cpus)) / jiffy * jiffy
}

// PriorityRange gives the static priorities of a policy
// (sched_get_priority_max(2)).
func PriorityRange(policy int) (lowest, highest int, ok bool) {
	switch {
	case realTime(policy):
		return 1, 99, true
	case valid(policy), policy == Ext:
		return 0, 0, true
	}
	return 0, 0, false
}

// KernelPriority is the priority as /proc/PID/sched has it: 0 to 99 are those of real time.
func (a *Attr) KernelPriority() int {
	if realTime(a.Policy) {
		return 99 - a.Priority
	}
	return 120 + a.Nice
}

// Weight is the thread's share of a CPU as /proc/PID/sched has it
// (sched_prio_to_weight in kernel/sched/core.c).
func (a *Attr) Weight() int {
	if a.Policy == Idle {
		return 3 << 10
	}
	return [...]int{
		88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
		9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
		1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
		110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
	}[a.Nice+20] << 10
}
