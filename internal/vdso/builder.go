package vdso

import "debug/elf"

// builder lays out sections one after the other; file offset and address are
// the same, as the only segment starts at 0.
type builder struct {
	out   []byte
	secs  []elf.Section64
	names []string
}

func (b *builder) grow(n int) { b.out = append(b.out, make([]byte, n)...) }

func (b *builder) align(n int) {
	for len(b.out)%n != 0 {
		b.out = append(b.out, 0)
	}
}

// section appends one section and gives its index; 0 is the null section.
func (b *builder) section(name string, typ elf.SectionType, flags elf.SectionFlag, align, entsize int, data []byte) int {
	if b.secs == nil {
		b.secs, b.names = []elf.Section64{{}}, []string{""}
	}
	b.align(align)
	s := elf.Section64{
		Type: uint32(typ), Flags: uint64(flags), Off: uint64(len(b.out)), Size: uint64(len(data)),
		Addralign: uint64(align), Entsize: uint64(entsize),
	}
	if flags&elf.SHF_ALLOC != 0 {
		s.Addr = s.Off
	}
	b.out = append(b.out, data...)
	b.secs, b.names = append(b.secs, s), append(b.names, name)
	return len(b.secs) - 1
}

// finish adds section headers, program headers and the file header.
func (b *builder) finish(dynamic, ehHdr int) []byte {
	strs := newStrtab(append(b.names, ".shstrtab"))
	shstr := b.section(".shstrtab", elf.SHT_STRTAB, 0, 1, 0, strs.bytes)
	b.align(8)
	shoff := len(b.out)
	for i := range b.secs {
		b.secs[i].Name = strs.off[b.names[i]]
		b.out = append(b.out, encode(b.secs[i])...)
	}
	all := elf.Section64{Size: uint64(len(b.out)), Addralign: 4096}
	copy(b.out, encode(
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Phoff: ehdrSize, Shoff: uint64(shoff), Ehsize: ehdrSize,
			Phentsize: phdrSize, Phnum: 4, Shentsize: shdrSize, Shnum: uint16(len(b.secs)), Shstrndx: uint16(shstr),
		},
		prog(elf.PT_LOAD, elf.PF_R|elf.PF_X, all),
		prog(elf.PT_DYNAMIC, elf.PF_R, b.secs[dynamic]),
		prog(elf.PT_GNU_EH_FRAME, elf.PF_R, b.secs[ehHdr]),
		prog(elf.PT_GNU_STACK, elf.PF_R|elf.PF_W, elf.Section64{Addralign: 16}),
	))
	return b.out
}

func prog(typ elf.ProgType, flags elf.ProgFlag, s elf.Section64) elf.Prog64 {
	return elf.Prog64{
		Type: uint32(typ), Flags: uint32(flags), Off: s.Off, Vaddr: s.Addr, Paddr: s.Addr,
		Filesz: s.Size, Memsz: s.Size, Align: s.Addralign,
	}
}

// strtab is a string table with the offset of each of its strings.
type strtab struct {
	bytes []byte
	off   map[string]uint32
}

func newStrtab(names []string) *strtab {
	s := &strtab{bytes: []byte{0}, off: map[string]uint32{"": 0}}
	for _, n := range names {
		if _, ok := s.off[n]; !ok {
			s.off[n] = uint32(len(s.bytes))
			s.bytes = append(append(s.bytes, n...), 0)
		}
	}
	return s
}
