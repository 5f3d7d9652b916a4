package fastpath

import "encoding/binary"

// Offsets in a stub; code_amd64.s has the first two.
const (
	stubLeave = 16 // the system call that stops
	stubDone  = 18 // what follows the call, made or served
	stubTail  = 28 // the instructions taken from behind the call, if they leave rcx alone
	stubJump  = 14 // size of the jump back
)

// stubLen is the size of the stub of s.
func stubLen(s *Site, k kind) int { return len(stub(0, s, k)) }

// stub is the code behind a patched site, to lie at address at: it asks the
// region, makes the call (or reads the counter) if that leaves, and goes on
// behind the site.
func stub(at uint64, s *Site, k kind) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, stubSize)
	to, arg, op := uint64(Base), byte(0xb9), []byte{0x0f, 0x05} // mov $stub, %ecx; syscall
	switch k {
	case fixedCall:
		b = append(b, s.Old[:movSize]...) // mov $nr, %eax
	case tscRead:
		to, arg, op = Base+tscOffset, 0xb8, []byte{0x0f, 0x31} // mov $stub, %eax; rdtsc
		fallthrough
	default:
		b = append(b, 0x0f, 0x1f, 0x44, 0, 0) // nop
	}
	b = append(b, arg)
	b = le.AppendUint32(b, uint32(at))
	b = append(b, 0xe9) // jmp code
	b = le.AppendUint32(b, uint32(to-(at+uint64(len(b))+4)))
	b = append(b, 0xcc) // int3
	if k == headCall {
		return s.headStub(b)
	}
	b = append(b, op...)
	if s.spoils {
		b = append(b, s.tail...)
	}
	if k != tscRead {
		b = append(b, 0x48, 0xb9) // movabs $next, %rcx: what the instruction leaves there
		b = le.AppendUint64(b, s.Addr+callSize)
	}
	if !s.spoils {
		b = append(b, s.tail...)
	}
	b = append(b, 0xff, 0x25, 0, 0, 0, 0) // jmp *(%rip)
	b = le.AppendUint64(b, s.End())
	if len(s.first) > 0 {
		b = append(b, s.first...)
		b = append(b, 0xe9) // jmp stub
		b = le.AppendUint32(b, uint32(-(len(b) + 4)))
	}
	return b
}

// vforkCode is the second half of the stub of vfork at address at. The call is made here
// because parent and child have all registers and the memory in common: only the
// place can tell them where to go on. As in code_amd64.s at birth, the flags stay.
func vforkCode(at uint64) []byte {
	le := binary.LittleEndian
	b := []byte{
		0x0f, 0x05, // syscall
		0x48, 0x89, 0xc1, // mov %rax, %rcx
		0x48, 0x0f, 0xc9, // bswap %rcx
		0x0f, 0xb6, 0xc9, // movzx %cl, %ecx: the sign
		0xe3, 23, // jrcxz 1f
		0x41, 0xbb, // mov $State, %r11d
	}
	b = le.AppendUint32(b, State)
	b = append(b, 0x49, 0x89, 0x83) // mov %rax, offStill(%r11)
	b = le.AppendUint32(b, offStill)
	b = append(b, 0xb8) // mov $vfork, %eax
	b = le.AppendUint32(b, vfork)
	for _, to := range []uint64{stubLeave, stubDone} { // jmp; 1: jmp
		b = append(b, 0xe9)
		b = le.AppendUint32(b, uint32(at+to-(at+stubSize+uint64(len(b))+4)))
	}
	return b
}

// stubStart is where the stub of s, at address at, is entered.
func stubStart(at uint64, s *Site, k kind) uint64 {
	if len(s.first) == 0 {
		return at
	}
	return at + uint64(stubLen(s, k)-len(s.first)-5)
}

// patch is what replaces size bytes of a site: a jump through the slot.
func patch(slot uint32, size int) []byte {
	b := []byte{0xff, 0x24, 0x25} // jmp *slot
	b = binary.LittleEndian.AppendUint32(b, slot)
	for len(b) < size {
		b = append(b, 0xcc) // int3: never reached
	}
	return b
}
