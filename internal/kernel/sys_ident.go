package kernel

import (
	"golang.org/x/sys/unix"
)

func sysUname(k *Kernel, t *Task) verdict {
	const field = 65
	m := &k.cfg.Machine
	b := make([]byte, 6*field)
	for i, s := range []string{"Linux", m.Hostname, m.Release, m.Version, "x86_64", m.Domainname} {
		copy(b[i*field:(i+1)*field-1], s)
	}
	if !t.write(t.arg(0), b) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// sysinfo(2): constant figures; uptime is logical.
func sysSysinfo(k *Kernel, t *Task) verdict {
	m := &k.cfg.Machine
	up := uint64((k.Now() - m.BootTime) / 1e9)
	v := []uint64{up, 0, 0, 0, m.MemTotal, m.MemTotal / 4 * 3, 0, 0, 0, 0, uint64(64), 0, 0, 1}
	if !t.writeU64(t.arg(0), v...) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// sched_getaffinity(2) returns the size of the kernel's mask: 8 bytes here.
func sysSchedGetaffinity(k *Kernel, t *Task) verdict {
	if t.arg(1) < 8 || t.arg(1)%8 != 0 {
		return t.fail(unix.EINVAL)
	}
	if pid := t.intArg(0); pid != 0 && !k.tidExists(pid) {
		return t.fail(unix.ESRCH)
	}
	if !t.writeU64(t.arg(2), k.cpuMask()) {
		return t.fail(unix.EFAULT)
	}
	return t.done(8)
}

func (k *Kernel) cpuMask() uint64 {
	if k.cfg.Machine.CPUs >= 64 {
		return ^uint64(0)
	}
	return 1<<k.cfg.Machine.CPUs - 1
}

// sched_setaffinity(2) is checked and has no effect: one thread runs at a time.
func sysSchedSetaffinity(k *Kernel, t *Task) verdict {
	if pid := t.intArg(0); pid != 0 && !k.tidExists(pid) {
		return t.fail(unix.ESRCH)
	}
	n := min(t.arg(1), 8)
	b := make([]byte, 8)
	if n > 0 && !t.read(t.arg(2), b[:n]) {
		return t.fail(unix.EFAULT)
	}
	m := uint64(0)
	for i, x := range b {
		m |= uint64(x) << (8 * i)
	}
	if m&k.cpuMask() == 0 {
		return t.fail(unix.EINVAL)
	}
	return t.done(0)
}

func (k *Kernel) tidExists(vtid int) bool {
	for _, t := range k.order {
		if t.vtid == vtid {
			return true
		}
	}
	return false
}

// getcpu(2): always the first CPU of the first node.
func sysGetcpu(k *Kernel, t *Task) verdict {
	for i := range 2 {
		if a := t.arg(i); a != 0 && !t.writeU32(a, 0) {
			return t.fail(unix.EFAULT)
		}
	}
	return t.done(0)
}

// sched_yield(2) gives the turn to the next ready thread.
func sysSchedYield(k *Kernel, t *Task) verdict {
	t.preempt = true
	return t.done(0)
}

// Priorities and policies are constants: default policy, nice 0.
func sysGetpriority(k *Kernel, t *Task) verdict { return t.done(20) }

func sysZero(k *Kernel, t *Task) verdict { return t.done(0) }

// sysSchedParam answers sched_getparam(2): static priority 0.
func sysSchedGetparam(k *Kernel, t *Task) verdict {
	if !t.writeU32(t.arg(1), 0) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// sched_rr_get_interval(2): 100 ms, as the default of the kernel.
func sysSchedRRGetInterval(k *Kernel, t *Task) verdict { return t.putTimespec(t.arg(1), 100e6) }

func sysSchedPriorityRange(k *Kernel, t *Task) verdict {
	switch t.intArg(0) {
	case 0, 3, 5, 6:
		return t.done(0)
	case 1, 2:
		if t.callNr == unix.SYS_SCHED_GET_PRIORITY_MAX {
			return t.done(99)
		}
		return t.done(1)
	}
	return t.fail(unix.EINVAL)
}

// sched_getattr(2): struct sched_attr of 56 bytes, all default.
func sysSchedGetattr(k *Kernel, t *Task) verdict {
	if t.arg(2) < 48 {
		return t.fail(unix.EINVAL)
	}
	b := make([]byte, 48)
	b[0] = 48
	if !t.write(t.arg(1), b) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// mincore(2): every page of the range is resident.
func sysMincore(k *Kernel, t *Task) verdict {
	if t.arg(0)&4095 != 0 {
		return t.fail(unix.EINVAL)
	}
	n := t.arg(1)/4096 + (t.arg(1)%4096+4095)/4096
	if n > 1<<24 {
		return t.fail(unix.ENOMEM)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = 1
	}
	if !t.write(t.arg(2), b) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// personality(2): the supervisor has set ADDR_NO_RANDOMIZE, the guest sees 0.
func sysPersonality(k *Kernel, t *Task) verdict {
	if p := uint32(t.arg(0)); p != 0xffffffff && p&0xff != 0 {
		k.refuse(t, "personality", unix.EINVAL)
		return t.fail(unix.EINVAL)
	}
	return t.done(0)
}

// setuid family: with one mapped id there is nothing to change to.
func sysSetid(k *Kernel, t *Task) verdict {
	t.cred = nil
	if !k.cfg.SingleID {
		return pass
	}
	n := map[int]int{unix.SYS_SETUID: 1, unix.SYS_SETGID: 1, unix.SYS_SETREUID: 2, unix.SYS_SETREGID: 2,
		unix.SYS_SETRESUID: 3, unix.SYS_SETRESGID: 3, unix.SYS_SETFSUID: 1, unix.SYS_SETFSGID: 1}[t.callNr]
	for i := range n {
		if id := int32(t.arg(i)); id != 0 && id != -1 {
			k.refuse(t, k.calls[t.callNr].row.Name+": only one id is mapped", unix.EPERM)
			return t.fail(unix.EPERM)
		}
	}
	return pass
}
