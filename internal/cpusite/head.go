package cpusite

import (
	"debug/elf"
	"encoding/binary"
	"io"
)

// head is what the kernel reads of a program (elf(5)).
type head struct {
	entry uint64
	progs []elf.ProgHeader
}

// readHead reads it. Package debug/elf reads the sections, too, which takes
// longer than all the rest for a small program.
func (x *file) readHead() bool {
	const size, entry = 64, 56 // of Elf64_Ehdr and Elf64_Phdr
	const most = 64 << 10      // of program headers, as the kernel
	b := make([]byte, size)
	if !x.fill(b, 0) || string(b[:4]) != elf.ELFMAG ||
		elf.Class(b[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(b[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return false
	}
	le := binary.LittleEndian
	kind, machine := elf.Type(le.Uint16(b[16:])), elf.Machine(le.Uint16(b[18:]))
	if machine != elf.EM_X86_64 || kind != elf.ET_EXEC && kind != elf.ET_DYN {
		return false
	}
	x.entry = le.Uint64(b[24:])
	at, n := le.Uint64(b[32:]), int(le.Uint16(b[56:]))
	if le.Uint16(b[54:]) != entry || n*entry > most || at > uint64(x.size) {
		return false
	}
	if b = make([]byte, n*entry); !x.fill(b, int64(at)) {
		return false
	}
	x.progs = make([]elf.ProgHeader, n)
	for i := range x.progs {
		p := b[i*entry:]
		x.progs[i] = elf.ProgHeader{
			Type: elf.ProgType(le.Uint32(p)), Flags: elf.ProgFlag(le.Uint32(p[4:])),
			Off: le.Uint64(p[8:]), Vaddr: le.Uint64(p[16:]), Filesz: le.Uint64(p[32:]), Memsz: le.Uint64(p[40:]),
		}
	}
	return true
}

// sections is the file as package debug/elf sees it, for what is in its sections
// alone. Those of a stripped or damaged file are none.
func (x *file) sections() *elf.File {
	if !x.asked {
		x.asked = true
		x.elf, _ = elf.NewFile(io.NewSectionReader(x.r, 0, x.size))
	}
	if x.elf == nil {
		x.elf = &elf.File{}
	}
	return x.elf
}
