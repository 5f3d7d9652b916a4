package cpusite

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"
)

// symbols are the functions of the symbol tables. Libraries have a hundred thousand,
// and mostly one or two are asked for: they are sorted when it is more.
type symbols struct {
	list  spans
	read  bool
	asked int
}

// symbol is the function around addr by the symbol tables.
func (x *file) symbol(addr uint64) (span, bool) {
	y := &x.symbols
	if !y.read {
		y.read = true
		for _, typ := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
			y.list = x.appendSymbols(y.list, typ)
		}
	}
	const few = 64
	if y.asked++; y.asked < few {
		return y.list.search(addr)
	}
	if y.asked == few {
		y.list.sort()
	}
	return y.list.find(addr)
}

// appendSymbols adds the functions of the first section of that type.
func (x *file) appendSymbols(list spans, typ elf.SectionType) spans {
	const size = 24 // of Elf64_Sym: name, info, other, section, value, size
	f := x.sections()
	i := slices.IndexFunc(f.Sections, func(s *elf.Section) bool { return s.Type == typ })
	if i < 0 {
		return list
	}
	s := f.Sections[i].SectionHeader
	if s.Offset > uint64(x.size) || s.FileSize > uint64(x.size)-s.Offset || s.Flags&elf.SHF_COMPRESSED != 0 {
		return list
	}
	var b []byte
	if x.raw != nil {
		b = x.raw[s.Offset : s.Offset+s.FileSize]
	} else if b = make([]byte, s.FileSize); !x.fill(b, int64(s.Offset)) {
		return list
	}
	list = slices.Grow(list, len(b)/size)
	for ; len(b) >= size; b = b[size:] {
		addr, n := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
		if elf.ST_TYPE(b[4]) == elf.STT_FUNC && n > 0 && addr+n > addr {
			list = append(list, span{addr, addr + n})
		}
	}
	return list
}

// search is find without the order.
func (l spans) search(addr uint64) (span, bool) {
	last := span{}
	for _, s := range l {
		if s.addr <= addr && cmp.Or(cmp.Compare(s.addr, last.addr), cmp.Compare(s.end, last.end)) > 0 {
			last = s
		}
	}
	return last, addr < last.end
}
