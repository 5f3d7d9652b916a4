package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
	"dettrace/internal/vdso"
)

// stackTop is where the stack of a 64-bit process ends without randomisation
// (STACK_TOP, arch/x86/include/asm/page_64_types.h).
const stackTop = 0x7ffffffff000

// fixImage takes the host out of a fresh process image: the auxiliary vector
// on its stack, the 16 random bytes, and the kernel's vDSO: its code is
// overwritten with ours (through /proc/pid/mem, which may write text), its
// data pages go before the program's first instruction.
func (k *Kernel) fixImage(t *Task) error {
	if err := ptrace.GetRegs(t.tid, &t.regs); err != nil {
		return ignoreGone(err)
	}
	sp := t.regs.Rsp
	size := 8 << 10
	var a vdso.Auxv
	var stack []byte
	for {
		stack = scratch(&k.stackBuf, int(max(min(uint64(size), stackTop-sp), 64)))
		n, err := ptrace.ReadMem(t.tid, sp, stack)
		if err != nil {
			return ignoreGone(fmt.Errorf("read stack: %w", err))
		}
		a, err = vdso.FixAuxv(stack[:n], sp, vdso.AuxvOpts{HWCAP: k.hwcap})
		if err == nil {
			stack = stack[:n]
			break
		}
		if n < len(stack) || len(stack) < size || size > 16<<20 {
			return fmt.Errorf("auxiliary vector: %w", err)
		}
		size *= 4
	}
	if err := k.writeAuxv(t, sp, stack, &a); err != nil {
		return err
	}
	t.proc.comm = commOf(t.proc.pid, stack, a.ExecFn-sp)
	k.litter(t, sp)
	t.proc.vdsoBase = 0
	if a.SysinfoEHDR == 0 {
		return nil
	}
	if err := k.replaceVDSO(t, a.SysinfoEHDR); err != nil {
		return err
	}
	k.replaceLooks(t, a.Phdr, a.Base)
	return nil
}

// scratch gives n bytes of *buf, which grows: memory that every exec needs is not
// garbage each time. The bytes are what they were.
func scratch(buf *[]byte, n int) []byte {
	if n > cap(*buf) {
		*buf = make([]byte, n)
	}
	return (*buf)[:n]
}

// commOf is the name of a process that has just executed the path that is on
// its stack at the given place.
func commOf(pid int, stack []byte, at uint64) string {
	const taskCommLen = 16 // with the NUL (linux/sched.h)
	if at < uint64(len(stack)) {
		if name, _, ok := bytes.Cut(stack[at:], []byte{0}); ok && !bytes.HasPrefix(name, []byte("/dev/fd/")) {
			name = name[bytes.LastIndexByte(name, '/')+1:]
			return string(name[:min(len(name), taskCommLen-1)])
		}
	}
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/comm") // execveat(2) of a descriptor, or too many arguments
	if err != nil {
		return ""
	}
	return string(bytes.TrimSuffix(b, []byte("\n")))
}

// writeAuxv makes the changes of a to the stack, whose beginning is at sp, with
// one write if it can.
func (k *Kernel) writeAuxv(t *Task, sp uint64, stack []byte, a *vdso.Auxv) error {
	end := sp + uint64(len(stack))
	from, to := end, sp
	put := func(addr uint64, b []byte) bool {
		if addr < sp || addr > end || uint64(len(b)) > end-addr {
			return t.write(addr, b)
		}
		copy(stack[addr-sp:], b)
		from, to = min(from, addr), max(to, addr+uint64(len(b)))
		return true
	}
	ok := a.Random == 0 || put(a.Random, k.random(t, 16, "AT_RANDOM"))
	for _, p := range a.Patches {
		ok = ok && put(p.Addr, binary.LittleEndian.AppendUint64(nil, p.Value))
	}
	if !ok || from < to && !t.write(from, stack[from-sp:to-sp]) {
		return fmt.Errorf("write auxiliary vector: %w", unix.EFAULT)
	}
	return nil
}

// replaceVDSO puts ours over the kernel's at base. t, at its exec event, starts
// in the code there that makes the image ours (vdso.Entry).
func (k *Kernel) replaceVDSO(t *Task, base uint64) error {
	t.proc.vdsoBase, t.proc.program = base, t.regs.Rip
	t.proc.mm.fast.mapped = k.cfg.Fast != nil
	t.proc.over = k.overlay(t, t.regs.Rip)
	e := k.entry(t.proc)
	t.regs.Rip = k.putEntry(&e)
	k.putClocks(&t.proc.mm.fast, base)
	mem, err := t.proc.memFile()
	if errors.Is(err, unix.EACCES) {
		err = ptrace.PokeText(t.tid, base, k.vdso)
	} else if err == nil {
		_, err = mem.WriteAt(k.vdso, int64(base))
	}
	if err != nil {
		return ignoreGone(fmt.Errorf("replace vdso: %w", err))
	}
	return ignoreGone(ptrace.SetRegs(t.tid, &t.regs))
}

// putEntry writes the code of e into k.vdso, where it is unless the last image was
// another one, and returns where it starts.
func (k *Kernel) putEntry(e *vdso.Entry) uint64 {
	now := entered{Entry: *e}
	if e.Region != nil {
		now.region, now.Region = *e.Region, nil
	}
	if now != k.entered || k.entryAt == 0 {
		k.entered, k.entryAt = now, vdso.PutEntry(k.vdso, e)
	}
	return k.entryAt
}

// putClocks replaces the calls in k.vdso, which is to lie at base in the address
// space of m, as a stop of each would; unless the last image's was there, too.
// Who has one image only hardly gets to know of it.
func (k *Kernel) putClocks(m *fastMM, base uint64) {
	if k.fast == nil || !m.mapped || k.varies() || k.cfg.Open.ASLR || k.stats.Execs < 2 {
		return
	}
	if k.clocksAt != base {
		for _, s := range k.clocks {
			copy(k.vdso[s.Start-k.clocksAt:], s.Old)
		}
		k.clocks, k.clocksAt = nil, base
		for _, c := range vdso.Calls() {
			if !k.fast.Serves(c.Number) {
				continue
			}
			if s := k.fast.Find(base+c.Offset, base, k.vdso[:vdso.MaxImage]); s != nil {
				copy(k.vdso[s.Start-base:], s.New)
				k.clocks = append(k.clocks, s)
			}
		}
	}
	m.clocks = k.clocks
}

// entered is a vdso.Entry by value.
type entered struct {
	vdso.Entry
	region vdso.Region
}

// entry describes the code in which the image of p starts.
func (k *Kernel) entry(p *Process) vdso.Entry {
	e := vdso.Entry{Faults: k.faults, Base: p.vdsoBase, Data: uint64(k.vdsoHost.Data), Program: p.program, Trap: k.varies()}
	if k.cfg.Fast != nil {
		e.Region = &vdso.Region{Path: k.cfg.RegionPath, Base: fastpath.Base, Text: fastpath.TextSize, State: fastpath.StateSize, Over: p.over}
	}
	return e
}

// entryFault goes on where a step of that code failed.
func (k *Kernel) entryFault(t *Task) (bool, error) {
	p := t.proc
	if p.program == 0 {
		return false, nil
	}
	var r ptrace.Regs
	if err := ptrace.GetRegs(t.tid, &r); err != nil {
		return false, ignoreGone(err)
	}
	e := k.entry(p)
	fault, next := e.Fault(r.Rip)
	switch fault {
	case vdso.NoFault:
		return false, nil
	case vdso.RegionFault:
		// No descriptor left, a chroot, something else at the address: the
		// calls of this image stop.
		if !k.unpatch(t) {
			return false, nil // it dies of the trap: it could not go on
		}
		p.over = vdso.Overlay{}
		k.replaceLooks(t, p.phdr, p.linker)
		if r.R8>>32 != vdso.Magic {
			r.R8 = ^uint64(0) // it was not opened: nothing to close
		}
	case vdso.DataFault:
		// The program can read the host's clocks by address.
		k.refuse(t, "unmapping the kernel's clock pages", unix.EPERM)
		p.program = 0
		r.Rax, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.R8, r.R9, r.R10, r.R11 = 0, 0, 0, 0, 0, 0, 0, 0, 0
	}
	r.Rip = next
	if fault == vdso.Ready {
		if err := k.scatter(t, &r); err != nil {
			return true, ignoreGone(err)
		}
	}
	return true, ignoreGone(ptrace.SetRegs(t.tid, &r))
}

// tsc is the time stamp counter: it runs at 1 GHz of logical time.
func (k *Kernel) tsc() int64 { return k.Now() - k.cfg.Machine.BootTime }

// trappedInstruction answers rdtsc and rdtscp, which fault in the guest
// (prctl(2), PR_SET_TSC).
func (k *Kernel) trappedInstruction(t *Task) (bool, error) {
	var si ptrace.SigInfo
	if err := ptrace.GetSigInfo(t.tid, &si); err != nil {
		return false, ignoreGone(err)
	}
	if ok, err := k.firstCode(t, &si); ok || err != nil {
		return ok, err
	}
	if getU32(si[8:]) != 0x80 { // SI_KERNEL: a general protection fault
		return false, nil
	}
	if err := ptrace.GetRegs(t.tid, &t.regs); err != nil {
		return false, ignoreGone(err)
	}
	var op [15]byte
	n, _ := ptrace.ReadMem(t.tid, t.regs.Rip, op[:])
	size := uint64(0)
	if n == len(op) || n > 2 {
		size = k.look(t, op[:n])
	}
	if size > 0 {
		k.prof.why = byTrap
		t.regs.Rip += size
		if err := ptrace.SetRegs(t.tid, &t.regs); err != nil {
			return true, ignoreGone(err)
		}
		return true, k.restoreSegv(t)
	}
	switch {
	case n >= 2 && op[0] == 0x0f && op[1] == 0x31:
		size = 2
	case n >= 3 && op[0] == 0x0f && op[1] == 0x01 && op[2] == 0xf9:
		size = 3
		t.regs.Rcx = uint64(t.attr.CPUs.First()) // IA32_TSC_AUX: of node 0
	default:
		return false, nil
	}
	k.prof.why = byTrap
	if k.tame { // each read is counted
	} else if s := k.replace(t, t.regs.Rip); s != nil && size == 2 {
		if s.Again != 0 {
			t.regs.Rip = s.Again // it is read there
			if err := ptrace.SetRegs(t.tid, &t.regs); err != nil {
				return true, ignoreGone(err)
			}
			return true, k.restoreSegv(t)
		}
		t.regs.Rip = s.Done - size
	}
	k.event(t)
	tsc := uint64(k.seen(t, k.tsc(), false, "rdtsc"))
	t.regs.Rax, t.regs.Rdx = tsc&0xffffffff, tsc>>32
	t.regs.Rip += size
	if k.log != nil {
		k.log.printf(k.Now()-k.cfg.Epoch, t, "rdtsc = %d", tsc)
	}
	k.traceClock(t, "rdtsc", int64(tsc))
	if err := ptrace.SetRegs(t.tid, &t.regs); err != nil {
		return true, ignoreGone(err)
	}
	return true, k.restoreSegv(t)
}

// vsyscall answers a call made through the page at 0xffffffffff600000. The
// tracer may only skip such a call: it becomes the ordinary one, answered
// here, and the kernel returns to the caller.
func (k *Kernel) vsyscall(t *Task) (verdict, bool) {
	nr, ok := vdso.VsyscallNumber(t.regs.Rip)
	if !ok {
		return 0, false
	}
	t.callNr = nr
	k.event(t)
	switch nr {
	case unix.SYS_GETTIMEOFDAY:
		return sysGettimeofday(k, t), true
	case unix.SYS_TIME:
		return sysTime(k, t), true
	case unix.SYS_GETCPU:
		return sysGetcpu(k, t), true
	}
	return t.fail(unix.ENOSYS), true
}
