// Package symbol finds the name of the function at a place in an ELF file.
//
// The file may be anybody's: nothing in it is believed beyond what its size
// allows, and a bad one only has no names.
package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strconv"
)

// most bounds the bytes of a symbol table or of its names that are looked at.
const most = 64 << 20

// nameMax bounds a name that is shown: those of C++ templates have no end.
const nameMax = 160

// At names the function that the byte at offset off of the file belongs to, and
// how far into it that is: "name+0x12". It looks into the symbol table and, if
// that was stripped, into the dynamic one; ok is false if neither knows.
func At(file []byte, off uint64) (name string, ok bool) {
	defer func() { // of debug/elf, which promises nothing for bad files
		if recover() != nil {
			name, ok = "", false
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil || f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return "", false
	}
	addr, ok := address(f, off)
	if !ok {
		return "", false
	}
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		if s := f.SectionByType(kind); s != nil {
			if name, ok := find(f, file, s, addr); ok {
				return name, true
			}
		}
	}
	return "", false
}

// address is where the program has what lies at an offset of the file.
func address(f *elf.File, off uint64) (uint64, bool) {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && off >= p.Off && off-p.Off < p.Filesz {
			return off - p.Off + p.Vaddr, true
		}
	}
	return 0, false
}

// content are the bytes of a section, straight from the file.
func content(file []byte, s *elf.Section) []byte {
	n := uint64(len(file))
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 || s.Offset > n || s.FileSize > min(n-s.Offset, most) {
		return nil
	}
	return file[s.Offset : s.Offset+s.FileSize]
}

// find looks for the symbol that covers addr or, of those without a size, for
// the last one before it.
func find(f *elf.File, file []byte, s *elf.Section, addr uint64) (string, bool) {
	if int(s.Link) >= len(f.Sections) {
		return "", false
	}
	syms, names := content(file, s), content(file, f.Sections[s.Link])
	var at, name uint64
	found, sized := false, false
	for ; len(syms) >= elf.Sym64Size; syms = syms[elf.Sym64Size:] {
		le := binary.LittleEndian
		value, size := le.Uint64(syms[8:]), le.Uint64(syms[16:])
		kind := elf.ST_TYPE(syms[4])
		if kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC && kind != elf.STT_NOTYPE || le.Uint16(syms[6:]) == 0 || value > addr {
			continue
		}
		covers := addr-value < size
		if size != 0 && !covers || sized && !covers {
			continue
		}
		if !found || covers && !sized || value > at {
			found, sized, at, name = true, covers, value, uint64(le.Uint32(syms))
		}
	}
	if !found || name >= uint64(len(names)) {
		return "", false
	}
	text, _, _ := bytes.Cut(names[name:], []byte{0})
	if len(text) == 0 {
		return "", false
	}
	return show(text) + "+0x" + strconv.FormatUint(addr-at, 16), true
}

// show is a name as it can be printed on a terminal.
func show(name []byte) string {
	end := ""
	if len(name) > nameMax {
		name, end = name[:nameMax], "..."
	}
	q := strconv.QuoteToASCII(string(name))
	return q[1:len(q)-1] + end
}
