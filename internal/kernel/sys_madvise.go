package kernel

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
)

// madvise(2). The filter lets advice through that the kernel obeys exactly;
// what arrives here it would follow when, or if, it likes.
func sysMadvise(k *Kernel, t *Task) verdict {
	switch t.intArg(2) {
	case unix.MADV_FREE:
		return k.madviseFree(t)
	case unix.MADV_REMOVE, unix.MADV_DONTFORK:
		return k.madviseAround(t)
	case unix.MADV_COLD, unix.MADV_PAGEOUT:
		// No effect, but the same errors: msync(2) with MS_ASYNC looks at the
		// range for holes, as these do, and does nothing else.
		entry := t.regs
		t.regs.Orig_rax = unix.SYS_MSYNC
		t.setArg(2, unix.MS_ASYNC)
		t.rewrite()
		t.onExit = func(t *Task) {
			t.regs = withResult(t.regs, &entry, t.result())
			t.rewrite()
		}
		return toExit
	}
	return t.fail(unix.EINVAL)
}

// madviseAround keeps the fast paths, which all processes share, out of a range: what
// lies there is a hole to the guest (ENOMEM, after the rest was done).
func (k *Kernel) madviseAround(t *Task) verdict {
	start, end := t.arg(0), t.arg(0)+(t.arg(1)+4095)&^4095
	if !t.proc.mm.fast.mapped || start&4095 != 0 || start >= fastpath.End || end <= fastpath.Base {
		return pass
	}
	if end <= fastpath.End {
		return t.fail(unix.ENOMEM)
	}
	entry := t.regs
	t.setArg(0, fastpath.End)
	t.setArg(1, end-fastpath.End)
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		if r == 0 {
			r = -int64(unix.ENOMEM)
		}
		t.regs = withResult(t.regs, &entry, r)
		t.rewrite()
	}
	return toExit
}

// madviseFree implements MADV_FREE: the pages are gone at once, as if the
// kernel had been short of memory right after the call.
func (k *Kernel) madviseFree(t *Task) verdict {
	entry := t.regs
	start, n := t.arg(0), (t.arg(1)+4095)&^4095
	if start&4095 == 0 && start+n > start {
		// The kernel goes from mapping to mapping, and stops with EINVAL at
		// the first that is not anonymous (mm/madvise.c).
		stop, ok := firstNamed(t.proc.pid, start, start+n)
		if ok {
			if stop <= start {
				return t.fail(unix.EINVAL)
			}
			t.setArg(1, stop-start)
		}
		t.onExit = func(t *Task) {
			r := t.result()
			if ok && (r == 0 || r == -int64(unix.ENOMEM)) {
				r = -int64(unix.EINVAL)
			}
			t.regs = withResult(t.regs, &entry, r)
			t.rewrite()
		}
	}
	t.setArg(2, unix.MADV_DONTNEED)
	t.rewrite()
	if t.onExit != nil {
		return toExit
	}
	return pass // EINVAL, or nothing to do
}

// firstNamed finds where in [lo, hi) the first mapping begins that is not
// private anonymous memory.
func firstNamed(pid int, lo, hi uint64) (uint64, bool) {
	maps, err := readProc("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		return 0, false
	}
	for len(maps) > 0 {
		var line []byte
		line, maps, _ = bytes.Cut(maps, []byte("\n"))
		m, ok := parseMapping(line)
		if !ok || m.hi <= lo {
			continue
		}
		if m.lo >= hi {
			break
		}
		if m.shared || m.ino != 0 && m.path != "/dev/zero" {
			return max(m.lo, lo), true
		}
	}
	return 0, false
}

// mapping is one line of /proc/pid/maps.
type mapping struct {
	lo, hi, off uint64
	shared      bool
	dev, path   string
	ino         uint64
}

// parseMapping reads a line such as
// "7f0000-7f1000 rw-s 00001000 00:01 1234    /path" (proc_pid_maps(5)).
func parseMapping(line []byte) (m mapping, ok bool) {
	f := bytes.SplitN(line, []byte(" "), 6)
	if len(f) < 5 || len(f[1]) != 4 {
		return m, false
	}
	lo, hi, ok := bytes.Cut(f[0], []byte("-"))
	if !ok {
		return m, false
	}
	m.lo, _ = strconv.ParseUint(string(lo), 16, 64)
	m.hi, _ = strconv.ParseUint(string(hi), 16, 64)
	m.off, _ = strconv.ParseUint(string(f[2]), 16, 64)
	m.ino, _ = strconv.ParseUint(string(f[4]), 10, 64)
	m.shared, m.dev = f[1][3] == 's', string(f[3])
	if len(f) == 6 {
		m.path = string(bytes.TrimLeft(f[5], " "))
	}
	return m, true
}
