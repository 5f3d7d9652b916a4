package kernel

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/procfs"
)

// Limits are set at the start and the same on every host; the kernel keeps
// most of them. Some are only recorded: they read back as set, and a child
// inherits them. Those of CPU time count real time in the kernel, so no signal
// ever comes of them here. Those of processes and pending signals start with
// figures of the declared machine, because the host's hard limits differ and
// cannot be raised; lower ones are the kernel's too.

// rlimitRTTime is RLIMIT_RTTIME, which x/sys does not name.
const rlimitRTTime = 15

// rlimit is struct rlimit64 with each bit inverted: 0 is RLIM_INFINITY.
type rlimit struct{ soft, hard uint64 }

// limits are the recorded ones. The zero value is no limit at all.
type limits struct {
	cpu, rt, rss, locks, processes, signals rlimit
}

func (l *limits) of(resource uint64) *rlimit {
	switch uint32(resource) {
	case unix.RLIMIT_CPU:
		return &l.cpu
	case rlimitRTTime:
		return &l.rt
	case unix.RLIMIT_RSS:
		return &l.rss
	case unix.RLIMIT_LOCKS:
		return &l.locks
	case unix.RLIMIT_NPROC:
		return &l.processes
	case unix.RLIMIT_SIGPENDING:
		return &l.signals
	}
	return nil
}

// startLimits are those of the first process: what a machine with that memory
// has (fork_init() in kernel/fork.c), or the number of processes of the run.
func (k *Kernel) startLimits() limits {
	n := k.cfg.Machine.MaxThreads() / 2
	l := limits{processes: rlimit{^n, ^n}, signals: rlimit{^n, ^n}}
	if k.cfg.PidsMax > 0 {
		n = uint64(k.cfg.PidsMax) + 1
		l.processes = rlimit{^n, ^n}
	}
	return l
}

// shown are the recorded limits as /proc/pid/limits calls them.
func (l *limits) shown() []procfs.Limit {
	var out []procfs.Limit
	for _, x := range []struct {
		name string
		v    rlimit
	}{
		{"Max cpu time", l.cpu}, {"Max resident set", l.rss}, {"Max processes", l.processes},
		{"Max file locks", l.locks}, {"Max pending signals", l.signals}, {"Max realtime timeout", l.rt},
	} {
		out = append(out, procfs.Limit{Name: x.name, Soft: ^x.v.soft, Hard: ^x.v.hard})
	}
	return out
}

// lower gives a process of ours the kernel's limit v, as far as it is below
// what the host allows anyway.
func lower(pid int, resource uint64, v rlimit) {
	switch resource {
	case unix.RLIMIT_NPROC, unix.RLIMIT_SIGPENDING:
	default:
		return
	}
	var now unix.Rlimit
	if unix.Prlimit(pid, int(resource), nil, &now) != nil {
		return // it is dying
	}
	now.Cur = min(^v.soft, now.Max)
	_ = unix.Prlimit(pid, int(resource), &now, nil)
}

// getrlimit(2), setrlimit(2), prlimit64(2).
func sysPrlimit(k *Kernel, t *Task) verdict {
	target, resource, set, get := t.proc, t.arg(0), uint64(0), uint64(0)
	switch t.callNr {
	case unix.SYS_GETRLIMIT:
		get = t.arg(1)
	case unix.SYS_SETRLIMIT:
		set = t.arg(1)
	default:
		resource, set, get = t.arg(1), t.arg(2), t.arg(3)
	}
	l := target.limits.of(resource)
	if l == nil {
		return pass
	}
	if t.callNr == unix.SYS_PRLIMIT64 && t.intArg(0) != 0 {
		if target = k.byVPid(t.intArg(0)); target == nil {
			return t.fail(unix.ESRCH)
		}
		if !sameIDs(t.tid, target.pid) {
			return t.fail(unix.EPERM)
		}
		l = target.limits.of(resource)
	}
	old := *l
	next := old
	if set != 0 {
		var b [16]byte
		if !t.read(set, b[:]) {
			return t.fail(unix.EFAULT)
		}
		next = rlimit{^binary.LittleEndian.Uint64(b[:]), ^binary.LittleEndian.Uint64(b[8:])}
		switch {
		case ^next.soft > ^next.hard:
			return t.fail(unix.EINVAL)
		case ^next.hard > ^old.hard:
			return t.fail(unix.EPERM) // CAP_SYS_RESOURCE is never held on the host
		}
	}
	if t.callNr == unix.SYS_GETRLIMIT || get != 0 {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:], ^old.soft)
		binary.LittleEndian.PutUint64(b[8:], ^old.hard)
		if !t.write(get, b[:]) {
			return t.fail(unix.EFAULT)
		}
	}
	*l = next
	if next.soft != old.soft {
		lower(target.pid, uint64(uint32(resource)), next)
	}
	return t.done(0)
}

// sameIDs is the check of prlimit(2): the ids of the caller are all three of
// the target's, or the caller has CAP_SYS_RESOURCE over it.
func sameIDs(caller, target int) bool {
	if caller == target {
		return true
	}
	c, err1 := readStatus(caller)
	o, err2 := readStatus(target)
	if err1 != nil || err2 != nil {
		return false
	}
	if hasCap(caller, unix.CAP_SYS_RESOURCE) {
		return true
	}
	for _, key := range []string{"Uid:", "Gid:"} {
		mine, theirs := idLine(c, key), idLine(o, key)
		if len(mine) != 4 || len(theirs) != 4 {
			return false
		}
		for _, id := range theirs[:3] { // real, effective, saved
			if id != mine[0] {
				return false
			}
		}
	}
	return true
}

// idLine gives the fields of a line of /proc/tid/status.
func idLine(status []byte, key string) []string {
	i := indexLine(status, key)
	if i < 0 {
		return nil
	}
	line, _, _ := strings.Cut(string(status[i+len(key):]), "\n")
	return strings.Fields(line)
}
