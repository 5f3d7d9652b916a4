package cpusite

import (
	"bytes"
	"encoding/binary"
)

// Move is code, which stands at addr, such that it does the same elsewhere; ok
// is false where that is not known. Stores of a register to an address relative
// to the instruction pointer become stores to the address itself.
func Move(code []byte, addr uint64) (out []byte, ok bool) {
	for len(code) > 0 {
		in, ok := decode(code)
		if !ok || in.leaves || look(&in, code[:in.size]) != 0 || in.opcode == (opcode{1, 0x31}) && !in.vectors {
			return nil, false
		}
		switch {
		case !in.rip:
			out = append(out, code[:in.size]...)
		case !in.store():
			return nil, false
		default:
			to := addr + uint64(in.size) + uint64(int64(int32(binary.LittleEndian.Uint32(code[in.modrm+1:]))))
			out = in.storeAt(out, code[in.modrm]>>3&7, to)
		}
		addr += uint64(in.size)
		code = code[in.size:]
	}
	return out, true
}

// store reports mov of a 32 or 64-bit register to memory, without prefixes.
func (in *inst) store() bool {
	head := 1
	if in.rex != 0 {
		head++
	}
	return in.opcode == opcode{0, 0x89} && in.modrm == head
}

// storeAt appends a store of register reg to an absolute address, which only rax
// can do: the two change places around it. The flags stay.
func (in *inst) storeAt(out []byte, reg byte, to uint64) []byte {
	reg |= in.rex & 4 << 1
	swap := []byte{0x48 | reg>>3, 0x90 | reg&7} // xchg %reg, %rax
	if reg == 0 {
		swap = nil
	}
	out = append(out, swap...)
	if in.wide {
		out = append(out, 0x48)
	}
	out = append(out, 0xa3) // movabs %eax, to
	out = binary.LittleEndian.AppendUint64(out, to)
	return append(out, swap...)
}

// look is which of the instructions that look at the CPU in is, decoded from
// code; 0 for none.
func look(in *inst, code []byte) Op {
	if in.vectors || in.opcode.table != 1 {
		return 0
	}
	modrm := code[in.modrm] // or the first byte, which is none of these then
	switch {
	case in.opcode.op == 0xa2:
		return CPUID
	case in.opcode.op == 0x01 && modrm == 0xd0:
		return XGETBV
	case in.opcode.op == 0xc7 && modrm >= 0xf8:
		if bytes.IndexByte(code[:in.modrm-2], 0xf3) >= 0 {
			return RDPID
		}
		return RDSEED
	case in.opcode.op == 0xc7 && modrm >= 0xf0:
		return RDRAND
	}
	return 0
}
