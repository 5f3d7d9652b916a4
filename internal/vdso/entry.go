package vdso

import "encoding/binary"

// The vDSO's data pages ([vvar], and since Linux 6.13 [vvar_vclock]) hold the
// real clocks, readable by address. They go before a program's first
// instruction: a fresh image starts in Entry's code, which unmaps them and
// jumps to the program. That costs one system call and no stop.

// entryOffset is where that code lies in the vDSO: at the end of its first page.
const (
	entrySize   = 64
	entryOffset = MaxImage - entrySize
	failOffset  = entryOffset + 42 // behind the int3: where SIGTRAP finds rip
)

// PutEntry writes into img, which is a Cover of at least MaxImage bytes to lie
// at base, the code that unmaps size bytes of data pages below base and goes
// on at program. It returns the address to start at.
//
// execve(2) hands over zeroed registers (ELF_PLAT_INIT, asm/elf.h); the code
// leaves them so, only the arithmetic flags are other, constant ones. Where
// the kernel has sealed its mappings (mseal(2), CONFIG_MSEAL_SYSTEM_MAPPINGS)
// the call fails and the code traps at EntryFailed.
func PutEntry(img []byte, base, size, program uint64) (start uint64) {
	code := []byte{0x48, 0xbf} // movabs $data, %rdi
	code = binary.LittleEndian.AppendUint64(code, base-size)
	code = append(code, 0xbe) // mov $size, %esi
	code = binary.LittleEndian.AppendUint32(code, uint32(size))
	code = append(code,
		0xb8, 11, 0, 0, 0, // mov $munmap, %eax
		0x0f, 0x05, // syscall
		0x85, 0xc0, // test %eax, %eax
		0x75, 15, // jne fail
		0x31, 0xc9, // xor %ecx, %ecx
		0x45, 0x31, 0xdb, // xor %r11d, %r11d
		0x31, 0xf6, // xor %esi, %esi
		0x31, 0xff, // xor %edi, %edi
		0xff, 0x25, 1, 0, 0, 0, // jmp *program(%rip)
		0xcc, // fail: int3
	)
	code = binary.LittleEndian.AppendUint64(code, program)
	copy(img[entryOffset:entryOffset+entrySize], code)
	return base + entryOffset
}

// EntryFailed reports whether rip, at a SIGTRAP, says that the data pages of
// the vDSO at base could not be unmapped.
func EntryFailed(rip, base uint64) bool { return rip == base+failOffset }
