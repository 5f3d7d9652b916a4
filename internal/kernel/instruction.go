package kernel

import (
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"

	"dettrace/internal/ptrace"
)

// isCall reports an instruction that enters the kernel: syscall, sysenter, int 0x80.
func isCall(code [15]byte) bool {
	switch {
	case code[0] == 0x0f:
		return code[1] == 0x05 || code[1] == 0x34
	case code[0] == 0xcd:
		return code[1] == 0x80
	}
	return false
}

// savesFlags reports pushf, which saves the trap flag that a single step sets.
func savesFlags(code [15]byte) bool {
	return code[0] == 0x9c || code[0]&0xf0 == 0x40 && code[1] == 0x9c
}

// hideTrapFlag clears it in the flags that t has just pushed.
func hideTrapFlag(t *Task) {
	var r ptrace.Regs
	if ptrace.GetRegs(t.tid, &r) != nil {
		return
	}
	var b [8]byte
	if t.read(r.Rsp, b[:]) {
		v := binary.LittleEndian.Uint64(b[:])
		t.writeU64(r.Rsp, v&^trapFlag)
	}
}

// restoresFlags reports popf and iret.
func restoresFlags(code [15]byte) bool {
	i := 0
	if code[0]&0xf0 == 0x40 || code[0] == 0x66 {
		i = 1
	}
	return code[i] == 0x9d || code[i] == 0xcf
}

// dropTrapFlag clears the flag in t itself: after a step over popf the kernel
// takes it for the guest's own (enable_single_step, arch/x86/kernel/step.c).
func dropTrapFlag(t *Task) error {
	var r ptrace.Regs
	if err := ptrace.GetRegs(t.tid, &r); err != nil {
		return err
	}
	r.Eflags &^= trapFlag
	return ptrace.SetRegs(t.tid, &r)
}

// accessed is the address that the instruction at hand reads or writes, if
// that is memory which other threads may look at: not its stack, not its own
// block.
func accessed(code []byte, r *ptrace.Regs) (addr uint64, store, ok bool) {
	in, err := x86asm.Decode(code, 64)
	if err != nil || !moves(in.Op) {
		return 0, false, false
	}
	var m x86asm.Mem
	for i, a := range in.Args {
		if mem, is := a.(x86asm.Mem); is {
			m, ok = mem, true
			store = i == 0 && in.Op != x86asm.CMP && in.Op != x86asm.TEST
		}
	}
	if !ok || m.Segment == x86asm.FS || m.Segment == x86asm.GS {
		return 0, false, false
	}
	addr = uint64(m.Disp)
	if m.Base == x86asm.RIP {
		addr += r.Rip + uint64(in.Len)
	} else if m.Base != 0 {
		addr += regValue(m.Base, r)
	}
	if m.Index != 0 {
		addr += regValue(m.Index, r) * uint64(m.Scale)
	}
	const stack, block = 64 << 10, 4 << 10
	switch {
	case addr-(r.Rsp-stack) < 2*stack, addr-(r.Fs_base-block) < 2*block:
		return 0, false, false
	case addr < 4096 || addr >= 1<<47-4096:
		return 0, false, false
	}
	return addr, store, true
}

// moves reports the instructions whose memory operand is data: read, or
// written where it comes first.
func moves(op x86asm.Op) bool {
	switch op {
	case x86asm.MOV, x86asm.MOVNTI, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.CMP, x86asm.TEST,
		x86asm.ADD, x86asm.ADC, x86asm.SUB, x86asm.SBB, x86asm.INC, x86asm.DEC,
		x86asm.AND, x86asm.OR, x86asm.XOR, x86asm.NOT, x86asm.NEG, x86asm.SHL, x86asm.SHR,
		x86asm.XCHG, x86asm.XADD, x86asm.CMPXCHG, x86asm.BTS, x86asm.BTR, x86asm.BTC,
		x86asm.MOVAPS, x86asm.MOVUPS, x86asm.MOVDQA, x86asm.MOVDQU, x86asm.MOVQ, x86asm.MOVD, x86asm.MOVSD_XMM, x86asm.MOVSS:
		return true
	}
	return false
}

// regValue is a 64-bit register that addresses memory.
func regValue(reg x86asm.Reg, r *ptrace.Regs) uint64 {
	regs := [...]*uint64{&r.Rax, &r.Rcx, &r.Rdx, &r.Rbx, &r.Rsp, &r.Rbp, &r.Rsi, &r.Rdi,
		&r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15}
	switch {
	case reg >= x86asm.RAX && reg <= x86asm.R15:
		return *regs[reg-x86asm.RAX]
	case reg >= x86asm.EAX && reg <= x86asm.R15L:
		return *regs[reg-x86asm.EAX] & (1<<32 - 1)
	}
	return 0
}
