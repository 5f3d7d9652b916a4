package kernel

import (
	"strconv"
	"strings"

	"dettrace/internal/procfs"
	"dettrace/internal/schedattr"
)

// newNormaliser connects the text rules of package procfs to this run.
func (k *Kernel) newNormaliser() *procfs.Normaliser {
	return procfs.NewNormaliser(k.cfg.Machine, func(dev, ino uint64) (uint64, uint64) {
		if ino == 0 {
			return 0, 0
		}
		return k.virtualIno(dev, ino)
	})
}

// deadProcess is what a zombie's files still say. The kernel keeps the rest.
type deadProcess struct {
	pid      int // host
	start    int64
	cpu      cpuClock
	childCPU int64
	counted  bool // to its parent's childCPU
	attr     schedattr.Attr
}

// procIDs takes the ids out of a path inside procfs: "7/stat" gives 7 and 7,
// "7/task/8/stat" 7 and 8, "uptime" 0 and 0. rest is what follows them.
func procIDs(rel string) (pid, tid int, rest string) {
	head, rest, _ := strings.Cut(rel, "/")
	pid, err := strconv.Atoi(head)
	if err != nil || pid <= 0 {
		return 0, 0, rel
	}
	if sub, ok := strings.CutPrefix(rest, "task/"); ok {
		head, rest, _ = strings.Cut(sub, "/")
		if tid, err = strconv.Atoi(head); err != nil || tid <= 0 {
			return 0, 0, rel
		}
		return pid, tid, rest
	}
	return pid, pid, rest
}

// procTask is the thread that a path inside procfs belongs to, or nil if it is
// pid 1's, dead or no process at all.
func (k *Kernel) procTask(rel string) *Task {
	pid, tid, _ := procIDs(rel)
	if tid == 0 {
		return nil
	}
	for _, t := range k.order {
		if t.vtid == tid && (pid == tid || t.proc.vpid == pid) {
			return t
		}
	}
	return nil
}

// procFacts gathers what a process's files should say instead of the host's.
func (k *Kernel) procFacts(rel string) procfs.Facts {
	f := procfs.Facts{Now: k.Now()}
	pid, _, rest := procIDs(rel)
	if pid == 0 {
		return f
	}
	f.Start, f.State, f.Attr = k.cfg.Epoch, 'S', k.initAttr
	f.Tunables.SetTimerSlack(0)
	if pid == 1 {
		start := k.startLimits()
		f.Comm, f.Groups, f.Limits = "init", &[]uint32{}, start.shown()
		return f
	}
	t := k.procTask(rel)
	if t == nil {
		f.State = 'Z'
		if d := k.ended[pid]; d != nil {
			f.Start, f.CPUTime, f.ChildTime, f.Attr = d.start, d.cpu.used, d.childCPU, d.attr
		}
		return f
	}
	f.Start, f.CPUTime, f.ChildTime = t.proc.start, k.cpuTime(t.proc), t.proc.childTime()
	if !k.cfg.Open.Time && (rest == "sched" || strings.Contains(rel, "/task/")) {
		f.CPUTime = t.cpu.used
	}
	f.State, f.Tunables, f.Attr = k.stateLetter(t), t.tunables(), t.attr
	if k.cfg.SingleID {
		f.Groups = &t.proc.groups
	}
	if rest == "limits" {
		f.Limits = t.proc.limits.shown()
	}
	if n, ok := strings.CutPrefix(rest, "fdinfo/"); ok {
		if fd, err := strconv.Atoi(n); err == nil {
			f.FDDev, f.FDIno = k.fdIdentity(t, fd)
		}
	}
	return f
}

// stateLetter is a thread's state as it would be with a CPU of its own.
func (k *Kernel) stateLetter(t *Task) byte {
	switch {
	case t.stopped:
		return 'T'
	case t.leaderGone:
		return 'Z'
	case t.wait.vfork != nil:
		return 'D'
	case t.th == k.sched.Current(), t.wait.what == "":
		return 'R'
	}
	return 'S'
}

// fdIdentity is st_dev and st_ino of an open descriptor as the guest sees them.
func (k *Kernel) fdIdentity(t *Task, fd int) (dev, ino uint64) {
	f := k.file(t, fd)
	if f.class == fdBad {
		return 0, 0
	}
	defer f.close()
	s := stat{dev: f.dev, ino: f.ino, mode: f.mode, rdev: f.rdev}
	if f.dev == k.cfg.FuseDev {
		s.ino = fdinfoNumber(f.fd, "ino:\t")
	}
	k.normalise(&s)
	return s.dev, s.ino
}

func (t *Task) tunables() procfs.Tunables {
	v := t.proc.tunables
	v.SetTimerSlack(t.timerSlack)
	return v
}
