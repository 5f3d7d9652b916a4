package fastpath

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// Where nothing behind a call can be moved, as in "syscall; ret" of musl's only function
// for most calls, what comes before it is replaced, and the call itself stays. What is
// not served is made where it ever was: musl and glibc tell by the address whether a
// thread that is cancelled waits in such a call (__cp_end, __syscall_cancel_arch_end).

// headSite takes whole instructions before the call that can do the same elsewhere.
func headSite(addr uint64, at int, text []byte) *Site {
	from := max(at-farJump, 0)
	all := starts(text, from, at+1)
	last := len(all) - 1
	if last < 0 || all[last] != at {
		return nil
	}
	i, numbered := last, false
	for at-all[i] < patchSize {
		if i--; i < 0 || !movable(text[all[i]:all[i+1]]) {
			return nil
		}
		numbered = numbered || text[all[i]] == 0xb8 // mov $nr, %eax: no other call comes by behind it
	}
	// The decoder does not know ENDBR64, with which a function begins.
	if bytes.Contains(text[max(all[i]-3, 0):at], []byte{0xf3, 0x0f, 0x1e, 0xfa}) {
		return nil
	}
	if !numbered && !passesOn(text, all) && switches(text, all, at) {
		return nil
	}
	s := &Site{Addr: addr, Start: addr - uint64(at-all[i]), Old: bytes.Clone(text[all[i]:at]), kind: headCall}
	s.first = s.Old
	if stubLen(s, headCall) > stubSize {
		return nil
	}
	return s
}

// passesOn reports that the moves in front of the last of the instructions that start at
// all set the arguments of a call: that is one sequence, of a function that passes any
// call on.
func passesOn(text []byte, all []int) bool {
	missing := []x86asm.Arg{x86asm.RDI, x86asm.RSI, x86asm.RDX, x86asm.R10, x86asm.R8}
	for i := len(all) - 2; i >= 0 && len(missing) > 0; i-- {
		in, err := x86asm.Decode(text[all[i]:], 64)
		if err != nil || in.Op != x86asm.MOV {
			return false
		}
		missing = slices.DeleteFunc(missing, func(a x86asm.Arg) bool { return a == in.Args[0] })
	}
	return len(missing) == 0
}

// farJump is how far before its cases a switch is looked for.
const farJump = 1024

// switches reports that a branch to an address from a register or a table is among the
// instructions that start at all, the last of them at at, or soon behind: it might lead
// between those that are to be replaced.
func switches(text []byte, all []int, at int) bool {
	for _, i := range append(all[:len(all):len(all)], starts(text, at, min(at+farJump/4, len(text)-16))...) {
		in, err := x86asm.Decode(text[i:], 64)
		if err != nil || in.Op != x86asm.JMP {
			continue
		}
		if _, direct := in.Args[0].(x86asm.Rel); !direct {
			return true
		}
	}
	return false
}

// movable reports whether the instruction b does the same elsewhere, and is no padding
// between functions.
func movable(b []byte) bool {
	in, err := x86asm.Decode(b, 64)
	if err != nil || in.Len != len(b) || vector(b) {
		return false
	}
	switch in.Op {
	case x86asm.SYSCALL, x86asm.RET, x86asm.CALL, x86asm.JMP, x86asm.INT, x86asm.UD2, x86asm.HLT, x86asm.NOP,
		x86asm.CPUID, x86asm.RDTSC, x86asm.RDTSCP, x86asm.XGETBV:
		return false
	}
	for _, a := range in.Args {
		switch a := a.(type) {
		case x86asm.Rel:
			return false
		case x86asm.Mem:
			if a.Base == x86asm.RIP {
				return false
			}
		}
	}
	return true
}

// headStub goes on with the stub b of s, whose call is not in it: stubLeave leads to the
// call, stubDone behind it, and the stub is entered at the instructions before it.
func (s *Site) headStub(b []byte) []byte {
	le := binary.LittleEndian
	const jump = 12                                          // movabs $to, %rcx; jmp *%rcx
	b = append(b, 0xeb, stubDone+jump-(stubLeave+2))         // jmp leave
	for _, to := range []uint64{s.Addr + callSize, s.Addr} { // done: what a call leaves in rcx; leave
		b = append(b, 0x48, 0xb9)
		b = le.AppendUint64(b, to)
		b = append(b, 0xff, 0xe1)
	}
	b = append(b, s.first...)
	b = append(b, 0xe9) // jmp stub
	return le.AppendUint32(b, uint32(-(len(b) + 4)))
}
