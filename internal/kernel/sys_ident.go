package kernel

import (
	"bytes"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
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

// sysinfo(2): constant figures; uptime is logical. The fast paths give the same
// (code_amd64.s).
func sysSysinfo(k *Kernel, t *Task) verdict {
	k.showMachine()
	m := &k.cfg.Machine
	up := uint64((k.Now() - m.BootTime) / 1e9)
	v := []uint64{up, 0, 0, 0, m.MemTotal, m.MemFree(), 0, 0, 0, 0, uint64(64), 0, 0, 1}
	if !t.writeU64(t.arg(0), v...) {
		return t.fail(unix.EFAULT)
	}
	return t.done(0)
}

// showMachine notes that the guest learns of the size of the machine, where it
// is the host's. Files of /proc and /sys that do are noted by their server.
func (k *Kernel) showMachine() {
	if k.cfg.Open.Machine {
		k.door(door.Machine)
	}
}

// getcpu(2): the first CPU that the thread may use, and the first node.
func sysGetcpu(k *Kernel, t *Task) verdict {
	for i, v := range []int{t.attr.CPUs.First(), 0} {
		if a := t.arg(i); a != 0 && !t.writeU32(a, uint32(v)) {
			return t.fail(unix.EFAULT)
		}
	}
	return t.done(0)
}

// mincore(2): every page of the range is resident, if it is mapped: msync(2) with
// MS_ASYNC looks at the range for holes and does nothing else.
func sysMincore(k *Kernel, t *Task) verdict {
	const most = 1 << 24
	n, vec := t.arg(1)/4096+(t.arg(1)%4096+4095)/4096, t.arg(2)
	if n > most && t.arg(0)%4096 == 0 {
		return t.fail(unix.ENOMEM)
	}
	entry := t.regs
	t.regs.Orig_rax = unix.SYS_MSYNC
	t.setArg(2, unix.MS_ASYNC)
	t.rewrite()
	t.onExit = func(t *Task) {
		r := t.result()
		if r == 0 && !t.write(vec, bytes.Repeat([]byte{1}, int(n))) {
			r = -int64(unix.EFAULT)
		}
		t.regs = withResult(t.regs, &entry, r)
		t.rewrite()
	}
	return toExit
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
