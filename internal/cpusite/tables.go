package cpusite

import (
	"debug/elf"
	"encoding/binary"
	"sort"
)

// unwindTable is .eh_frame_hdr: where each function begins, in order, and its
// entry in .eh_frame (Linux Standard Base, 10.6.2).
type unwindTable struct {
	x    *file
	base uint64 // address of the table
	list []byte // pairs of 32-bit distances from base
}

func (x *file) readUnwind() *unwindTable {
	const head = 12
	for _, p := range x.progs {
		if p.Type != elf.PT_GNU_EH_FRAME || p.Filesz < head || p.Filesz > uint64(x.size) {
			continue
		}
		b, ok := x.at(p.Vaddr, int(p.Filesz))
		// Version 1, a count of 4 bytes, distances from the table of 4 signed bytes.
		if !ok || b[0] != 1 || b[2] != 0x03 || b[3] != 0x3b {
			return nil
		}
		at := 8
		if b[1]&0x0f != 0x0b && b[1]&0x0f != 0x03 { // the pointer to .eh_frame has 4 bytes
			return nil
		}
		n := int(binary.LittleEndian.Uint32(b[at:]))
		if n < 0 || n > (len(b)-head)/8 {
			return nil
		}
		return &unwindTable{x, p.Vaddr, b[head : head+8*n]}
	}
	return nil
}

func (t *unwindTable) find(addr uint64) (span, bool) {
	if t == nil {
		return span{}, false
	}
	start := func(i int) uint64 { return t.base + uint64(int64(int32(binary.LittleEndian.Uint32(t.list[8*i:])))) }
	i := sort.Search(len(t.list)/8, func(i int) bool { return start(i) > addr }) - 1
	if i < 0 {
		return span{}, false
	}
	entry := t.base + uint64(int64(int32(binary.LittleEndian.Uint32(t.list[8*i+4:]))))
	// length, CIE, start relative to its own place, size (DW_EH_PE_pcrel|sdata4)
	b, ok := t.x.at(entry, 16)
	if !ok || entry+8+uint64(int64(int32(binary.LittleEndian.Uint32(b[8:])))) != start(i) {
		return span{}, false
	}
	s := span{start(i), start(i) + uint64(binary.LittleEndian.Uint32(b[12:]))}
	return s, addr < s.end
}

// goTable is the function table of a Go program (runtime/symtab.go, pcHeader).
type goTable struct {
	text uint64
	list []byte // pairs of 32 bits: distance from text, and something else
}

// goFunc is the function around addr by that table.
func (x *file) goFunc(addr uint64) (span, bool) {
	if !x.goRead {
		x.golang, x.goRead = x.readGo(), true
	}
	return x.golang.find(addr)
}

func (x *file) readGo() *goTable {
	const magic, head = 0xfffffff1, 72 // since Go 1.20
	f := x.sections()
	for _, s := range f.Sections {
		if s.Name != ".gopclntab" && s.Name != ".data.rel.ro.gopclntab" {
			continue
		}
		b, ok := x.at(s.Addr, head)
		if !ok || binary.LittleEndian.Uint32(b) != magic || b[7] != 8 {
			return nil
		}
		n, text, at := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[64:])
		if n > s.Size/8 || at > s.Size {
			return nil
		}
		list, ok := x.at(s.Addr+at, int(8*n+4)) // the end of the last one follows
		if !ok {
			return nil
		}
		if text == 0 { // in a program that can be moved, and since Go 1.26
			if sec := f.Section(".text"); sec != nil {
				text = sec.Addr
			}
		}
		t := &goTable{text, list}
		// The table is right if the program begins with one of its functions.
		if s, ok := t.find(x.entry); !ok || s.addr != x.entry {
			return nil
		}
		return t
	}
	return nil
}

func (t *goTable) find(addr uint64) (span, bool) {
	if t == nil || addr < t.text {
		return span{}, false
	}
	start := func(i int) uint64 { return t.text + uint64(binary.LittleEndian.Uint32(t.list[8*i:])) }
	n := len(t.list) / 8
	i := sort.Search(n, func(i int) bool { return start(i) > addr }) - 1
	if i < 0 {
		return span{}, false
	}
	s := span{start(i), start(i + 1)}
	return s, addr < s.end
}
