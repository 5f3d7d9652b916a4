package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/schedattr"
)

// Whom getpriority(2) and ioprio_get(2) mean; the latter counts from 1.
const (
	prioProcess = iota
	prioGroup
	prioUser
)

// attrsOf lists the threads that which and who mean: of a process only the
// thread with that number, of a group or user all.
func (k *Kernel) attrsOf(t *Task, which, who int, user uint32) []attrOwner {
	if which == prioProcess {
		if o, ok := k.attrOf(t, who); ok {
			return []attrOwner{o}
		}
		return nil
	}
	var out []attrOwner
	if uid, _ := k.userIDs(k.init); which == prioUser && uid == user {
		out = append(out, attrOwner{k.init, &k.initAttr})
	}
	group := -1
	if which == prioGroup && who == 0 {
		group, _ = unix.Getpgid(t.proc.pid)
	} else if which == prioGroup && who > 0 {
		group = k.groupOfVPid(who)
	}
	for _, o := range k.order {
		if which == prioUser {
			if uid, _ := k.userIDs(o.tid); uid != user {
				continue
			}
		} else if g, err := unix.Getpgid(o.proc.pid); err != nil || g != group {
			continue
		}
		out = append(out, attrOwner{o.tid, &o.attr})
	}
	return out
}

// prioTargets are those of getpriority(2) and setpriority(2), where user 0 is
// the caller's.
func (k *Kernel) prioTargets(t *Task) []attrOwner {
	user := uint32(t.arg(1))
	if user == 0 {
		user, _ = k.userIDs(t.tid)
	}
	return k.attrsOf(t, t.intArg(0), t.intArg(1), user)
}

// getpriority(2) gives the highest priority, counted downwards from 40, so that
// no result is negative.
func sysGetpriority(k *Kernel, t *Task) verdict {
	if which := t.intArg(0); which < prioProcess || which > prioUser {
		return t.fail(unix.EINVAL)
	}
	best := -int64(unix.ESRCH)
	for _, o := range k.prioTargets(t) {
		best = max(best, int64(20-o.attr.Nice))
	}
	return t.done(best)
}

// setpriority(2) changes whom it may and reports the last one it may not.
func sysSetpriority(k *Kernel, t *Task) verdict {
	if which := t.intArg(0); which < prioProcess || which > prioUser {
		return t.fail(unix.EINVAL)
	}
	result := unix.ESRCH
	for _, o := range k.prioTargets(t) {
		if e := o.attr.SetNice(t.intArg(2), k.rights(t, o)); e != 0 {
			result = e
		} else if result == unix.ESRCH {
			result = 0
		}
	}
	return t.errno(result)
}

// ioprio_get(2): of several threads the best, where those that never asked for
// one count by their nice level.
func sysIoprioGet(k *Kernel, t *Task) verdict {
	which := t.intArg(0) - 1
	if which < prioProcess || which > prioUser {
		return t.fail(unix.EINVAL)
	}
	best := -int64(unix.ESRCH)
	for _, o := range k.attrsOf(t, which, t.intArg(1), uint32(t.arg(1))) {
		v := int64(o.attr.EffectiveIOPrio())
		if which == prioProcess {
			v = int64(o.attr.IOPrio)
		}
		if best < 0 || v < best {
			best = v
		}
	}
	return t.done(best)
}

// ioprio_set(2) stops at the first thread that it may not change. User 0 is
// root here, not the caller's (block/ioprio.c).
func sysIoprioSet(k *Kernel, t *Task) verdict {
	v := t.intArg(2)
	if e := schedattr.CheckIOPrio(v, hasCap(t.tid, unix.CAP_SYS_NICE)); e != 0 {
		return t.fail(e)
	}
	which := t.intArg(0) - 1
	if which < prioProcess || which > prioUser {
		return t.fail(unix.EINVAL)
	}
	result := unix.ESRCH
	for _, o := range k.attrsOf(t, which, t.intArg(1), uint32(t.arg(1))) {
		r := k.rights(t, o)
		uid, euid := k.userIDs(t.tid)
		owner, _ := k.userIDs(o.tid)
		r.Owner = owner == uid || owner == euid
		if result = o.attr.SetIOPrio(v, r); result != 0 {
			break
		}
	}
	return t.errno(result)
}
