package fastpath

import (
	"encoding/binary"

	"golang.org/x/arch/x86/x86asm"
)

// Registers that carry nothing at a site, by their number in an encoding. The
// code at a site of rdtsc expects nothing of rdx before the instruction, and
// that at a system call nothing of rcx behind it, until both are set.
const (
	regRCX = 1
	regRDX = 2
)

// pcRelative reports whether in, decoded from b, addresses memory relative to
// its own place in the plain form: no prefix but REX before the opcode.
func pcRelative(b []byte, in *x86asm.Inst) bool {
	if in.PCRel != 4 || in.PCRelOff < 2 || in.Len < in.PCRelOff+4 || b[in.PCRelOff-1]&0xc7 != 0x05 {
		return false
	}
	op := b[0]
	if op&0xf0 == 0x40 {
		op = b[1]
	}
	switch op {
	case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0xc4, 0xc5, 0x62:
		return false
	}
	return true
}

// relocate is what an instruction at addr, decoded from b, does, to be executed
// at any other address: its operand is reached through the free register base,
// which it spoils unless the instruction only asks for the address (lea).
func relocate(b []byte, in *x86asm.Inst, addr uint64, base byte) (code []byte, spoils bool) {
	le := binary.LittleEndian
	target := addr + uint64(in.Len) + uint64(int64(int32(le.Uint32(b[in.PCRelOff:]))))
	rex, opcode := byte(0), 0
	if b[0]&0xf0 == 0x40 {
		rex, opcode = b[0], 1
	}
	modrm := b[in.PCRelOff-1]
	if in.Op == x86asm.LEA && rex&8 != 0 {
		reg := modrm >> 3 & 7
		code = append(code, 0x48|rex>>2&1, 0xb8|reg) // movabs $target, %reg
		return le.AppendUint64(code, target), false
	}
	code = append(code, 0x48, 0xb8|base)
	code = le.AppendUint64(code, target)
	if rex != 0 {
		code = append(code, rex&^3) // no index, and base is one of the first eight
	}
	code = append(code, b[opcode:in.PCRelOff-1]...)
	code = append(code, modrm&^0xc7|base) // (%base)
	return append(code, b[in.PCRelOff+4:in.Len]...), true
}

// touches reports whether in names one of regs or works on registers that it
// does not name.
func touches(in *x86asm.Inst, regs ...x86asm.Reg) bool {
	switch in.Op {
	case x86asm.ADD, x86asm.AND, x86asm.CMP, x86asm.LEA, x86asm.MOV, x86asm.MOVSXD, x86asm.MOVZX,
		x86asm.OR, x86asm.SUB, x86asm.TEST, x86asm.XOR:
	default:
		return true
	}
	for _, a := range in.Args {
		if r, ok := a.(x86asm.Reg); ok {
			for _, x := range regs {
				if r == x {
					return true
				}
			}
		}
	}
	return false
}

// The names of rax, rcx and rdx and their parts.
func namesOfRAX() []x86asm.Reg {
	return []x86asm.Reg{x86asm.RAX, x86asm.EAX, x86asm.AX, x86asm.AL, x86asm.AH}
}
func namesOfRCX() []x86asm.Reg {
	return []x86asm.Reg{x86asm.RCX, x86asm.ECX, x86asm.CX, x86asm.CL, x86asm.CH}
}
func namesOfRDX() []x86asm.Reg {
	return []x86asm.Reg{x86asm.RDX, x86asm.EDX, x86asm.DX, x86asm.DL, x86asm.DH}
}
