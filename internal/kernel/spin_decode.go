package kernel

import (
	"bytes"

	"golang.org/x/arch/x86/x86asm"

	"dettrace/internal/ptrace"
)

// place is memory that an instruction looks at or stores to.
type place struct {
	addr uint64
	size int
}

// touches lists the memory that the instruction at r.Rip with these bytes may
// look at or change, and its length. ok is false for what has other effects, or
// effects that are not known here: only the general registers, their flags, those
// of SSE and these places may be concerned.
func touches(code []byte, r *ptrace.Regs) (ps []place, ok bool) {
	if bytes.HasPrefix(code, []byte{0xf3, 0x0f, 0x1e, 0xfa}) { // endbr64
		return nil, true
	}
	in, err := x86asm.Decode(code, 64)
	if err != nil || in.AddrSize != 64 {
		return nil, false
	}
	for _, a := range in.Args {
		switch a := a.(type) {
		case x86asm.Reg:
			if a > x86asm.R15 && (a < x86asm.X0 || a > x86asm.X15 || !vector(in.Op)) {
				return nil, false
			}
		case x86asm.Mem:
			addr, ok := address(a, &in, r)
			if !ok {
				return nil, false
			}
			if vector(in.Op) && in.MemBytes == 0 {
				return nil, false
			}
			if in.Op != x86asm.LEA && in.Op != x86asm.NOP {
				ps = append(ps, place{addr, max(in.MemBytes, 1)})
			}
		}
	}
	if vector(in.Op) {
		return ps, true
	}
	switch in.Op {
	case x86asm.MOV, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.LEA, x86asm.CMP, x86asm.TEST,
		x86asm.XCHG, x86asm.CMPXCHG, x86asm.CMPXCHG8B, x86asm.CMPXCHG16B, x86asm.XADD,
		x86asm.ADD, x86asm.ADC, x86asm.SUB, x86asm.SBB, x86asm.AND, x86asm.OR, x86asm.XOR, x86asm.INC, x86asm.DEC,
		x86asm.NEG, x86asm.NOT, x86asm.SHL, x86asm.SHR, x86asm.SAR, x86asm.ROL, x86asm.ROR, x86asm.IMUL, x86asm.BSWAP,
		x86asm.CWDE, x86asm.CDQE, x86asm.CDQ, x86asm.CQO, x86asm.NOP, x86asm.PAUSE,
		x86asm.LFENCE, x86asm.MFENCE, x86asm.SFENCE,
		x86asm.JMP, x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JCXZ, x86asm.JE, x86asm.JECXZ, x86asm.JG, x86asm.JGE,
		x86asm.JL, x86asm.JLE, x86asm.JNE, x86asm.JNO, x86asm.JNP, x86asm.JNS, x86asm.JO, x86asm.JP, x86asm.JRCXZ, x86asm.JS,
		x86asm.LOOP, x86asm.LOOPE, x86asm.LOOPNE,
		x86asm.SETA, x86asm.SETAE, x86asm.SETB, x86asm.SETBE, x86asm.SETE, x86asm.SETG, x86asm.SETGE, x86asm.SETL,
		x86asm.SETLE, x86asm.SETNE, x86asm.SETNO, x86asm.SETNP, x86asm.SETNS, x86asm.SETO, x86asm.SETP, x86asm.SETS,
		x86asm.CMOVA, x86asm.CMOVAE, x86asm.CMOVB, x86asm.CMOVBE, x86asm.CMOVE, x86asm.CMOVG, x86asm.CMOVGE, x86asm.CMOVL,
		x86asm.CMOVLE, x86asm.CMOVNE, x86asm.CMOVNO, x86asm.CMOVNP, x86asm.CMOVNS, x86asm.CMOVO, x86asm.CMOVP, x86asm.CMOVS:
		return ps, true
	case x86asm.BT, x86asm.BTS, x86asm.BTR, x86asm.BTC:
		_, mem := in.Args[0].(x86asm.Mem)
		_, imm := in.Args[1].(x86asm.Imm)
		return ps, imm || !mem // the bit of a register may lie far from the operand
	case x86asm.PUSH, x86asm.CALL:
		return append(ps, place{r.Rsp - 8, 8}), true
	case x86asm.POP, x86asm.RET:
		return append(ps, place{r.Rsp, 8}), true
	case x86asm.LEAVE:
		return append(ps, place{r.Rbp, 8}), true
	}
	return nil, false
}

// usesVector reports whether the instruction with these bytes, which touches
// knows, may concern registers of SSE.
func usesVector(code []byte) bool {
	in, err := x86asm.Decode(code, 64)
	return err == nil && vector(in.Op)
}

// vector are instructions of SSE by which loops look at memory: moves, bitwise
// ones, comparisons and the arithmetic of numbers of one element.
func vector(op x86asm.Op) bool {
	switch op {
	case x86asm.MOVD, x86asm.MOVQ, x86asm.MOVDQA, x86asm.MOVDQU, x86asm.MOVAPS, x86asm.MOVUPS, x86asm.MOVAPD, x86asm.MOVUPD,
		x86asm.MOVSS, x86asm.MOVSD_XMM, x86asm.MOVMSKPS, x86asm.MOVMSKPD, x86asm.PMOVMSKB,
		x86asm.PXOR, x86asm.POR, x86asm.PAND, x86asm.PANDN, x86asm.XORPS, x86asm.XORPD, x86asm.ANDPS, x86asm.ANDPD, x86asm.ORPS, x86asm.ORPD,
		x86asm.PCMPEQB, x86asm.PCMPEQW, x86asm.PCMPEQD, x86asm.PCMPEQQ, x86asm.PMINUB, x86asm.PTEST, x86asm.PSHUFD, x86asm.PUNPCKLQDQ,
		x86asm.PSUBB, x86asm.PADDD, x86asm.PADDQ, x86asm.UCOMISS, x86asm.UCOMISD, x86asm.COMISS, x86asm.COMISD,
		x86asm.ADDSS, x86asm.ADDSD, x86asm.SUBSS, x86asm.SUBSD, x86asm.MULSD, x86asm.CVTSI2SD, x86asm.CVTSS2SD, x86asm.CVTTSD2SI:
		return true
	}
	return false
}

// address is where a memory operand lies.
func address(m x86asm.Mem, in *x86asm.Inst, r *ptrace.Regs) (uint64, bool) {
	base, ok := general(m.Base, in, r)
	index, ok2 := general(m.Index, in, r)
	if !ok || !ok2 {
		return 0, false
	}
	a := base + index*uint64(m.Scale) + uint64(m.Disp)
	switch m.Segment {
	case x86asm.FS:
		a += r.Fs_base
	case x86asm.GS:
		a += r.Gs_base
	}
	return a, true
}

func general(reg x86asm.Reg, in *x86asm.Inst, r *ptrace.Regs) (uint64, bool) {
	all := [...]uint64{r.Rax, r.Rcx, r.Rdx, r.Rbx, r.Rsp, r.Rbp, r.Rsi, r.Rdi, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15}
	switch {
	case reg == 0:
		return 0, true
	case reg == x86asm.RIP:
		return r.Rip + uint64(in.Len), true
	case reg >= x86asm.RAX && reg <= x86asm.R15:
		return all[reg-x86asm.RAX], true
	}
	return 0, false
}
