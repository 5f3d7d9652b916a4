package kernel

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/procfs"
)

// newNormaliser connects the text rules of package procfs to this run.
func (k *Kernel) newNormaliser() *procfs.Normaliser {
	return procfs.NewNormaliser(k.cfg.Machine, func(dev, ino uint64) (uint64, uint64) {
		switch {
		case dev == k.cfg.FuseDev:
			return treeDev, ino
		case ino == 0:
			return 0, 0
		}
		return memDev, k.inodes.get("mem", ino)
	})
}

// readProc answers a read from procfs: the kernel's text is fetched whole,
// made free of the host, and served at the position of the shared file
// description.
func (k *Kernel) readProc(t *Task, f *file) verdict {
	rel := f.procPath()
	if rawProc(rel) {
		return pass
	}
	raw, err := readAllAt(f.fd)
	if err != nil {
		if e, ok := err.(unix.Errno); ok {
			return t.fail(e)
		}
		return t.fail(unix.EIO)
	}
	text, ok := k.norm.File(rel, raw, k.procFacts(rel))
	if !ok {
		k.refuse(t, "/proc/"+rel, unix.EACCES)
		return t.fail(unix.EACCES)
	}
	if t.callNr == unix.SYS_PREAD64 || t.callNr == unix.SYS_PREADV || t.callNr == unix.SYS_PREADV2 {
		pos := int64(t.arg(3))
		if pos < 0 && !(t.callNr == unix.SYS_PREADV2 && pos == -1) {
			return t.fail(unix.EINVAL)
		}
		return k.readInto(t, func(n int) ([]byte, unix.Errno) { return window(text, pos, n), 0 })
	}
	pos, err := unix.Seek(f.fd, 0, unix.SEEK_CUR)
	if err != nil {
		return t.fail(unix.ESPIPE)
	}
	return k.readInto(t, func(n int) ([]byte, unix.Errno) {
		w := window(text, pos, n)
		if len(w) > 0 {
			if _, err := unix.Seek(f.fd, pos+int64(len(w)), unix.SEEK_SET); err != nil {
				return nil, unix.EIO
			}
		}
		return w, 0
	})
}

// rawProc are the files of procfs whose bytes are the guest's own memory.
func rawProc(rel string) bool {
	for i := len(rel) - 1; i >= 0; i-- {
		if rel[i] == '/' {
			switch rel[i+1:] {
			case "mem", "cmdline", "environ":
				return true
			}
			return false
		}
	}
	return false
}

func window(p []byte, pos int64, n int) []byte {
	if pos < 0 || pos >= int64(len(p)) {
		return nil
	}
	p = p[pos:]
	return p[:min(n, len(p))]
}

// readAllAt reads a procfs file from its start without moving its position.
func readAllAt(fd int) ([]byte, error) {
	var out []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Pread(fd, buf, int64(len(out)))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 || len(out) > 64<<20 {
			return out, nil
		}
		out = append(out, buf[:n]...)
	}
}

// procFacts gathers what a process's files should say instead of the host's.
func (k *Kernel) procFacts(rel string) procfs.Facts {
	f := procfs.Facts{Now: k.Now()}
	i := 0
	for i < len(rel) && rel[i] >= '0' && rel[i] <= '9' {
		i++
	}
	vpid, err := strconv.Atoi(rel[:i])
	if err != nil {
		return f
	}
	f.State = 'S'
	f.Start = k.cfg.Epoch
	if vpid == 1 {
		f.Comm = "init"
		return f
	}
	for _, t := range k.order {
		if t.proc.vpid != vpid && t.vtid != vpid {
			continue
		}
		f.Start = t.proc.start
		f.CPUTime = k.cpuTime(t.proc)
		f.Comm = t.proc.comm
		if k.cfg.SingleID {
			f.IDs = &procfs.IDs{Groups: t.proc.groups}
		}
		if t.th == k.sched.Current() {
			f.State = 'R'
		}
		if t.stopped {
			f.State = 'T'
		}
		return f
	}
	f.State = 'Z'
	return f
}

// writeProc implements writes to procfs: a process may set its own
// oom_score_adj, comm and the like; the rest has no effect worth allowing.
func (k *Kernel) writeProc(t *Task, f *file) verdict {
	rel := f.procPath()
	for i := len(rel) - 1; i >= 0; i-- {
		if rel[i] != '/' {
			continue
		}
		switch rel[i+1:] {
		case "comm", "clear_refs", "coredump_filter":
			return pass
		case "oom_score_adj", "oom_adj", "autogroup", "timerslack_ns", "loginuid":
			n, e := t.length()
			if e != 0 {
				return t.fail(e)
			}
			return t.done(int64(n))
		}
		break
	}
	k.refuse(t, "write to /proc/"+rel, unix.EACCES)
	return t.fail(unix.EACCES)
}

func readStatus(tid int) ([]byte, error) {
	return os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
}

// openFDs lists the open descriptors of a process, ascending.
func openFDs(pid int) []int {
	es, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range es {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, n)
		}
	}
	return out
}
