package cpusite

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"io"
	"slices"
)

// file is an ELF file that is looked through.
type file struct {
	r    io.ReaderAt
	raw  []byte // all of it, or nil
	size int64
	head
	buf  []byte // of chunks
	page []byte // read last by at
	from int64  // its offset

	elf   *elf.File // see sections
	asked bool      // for elf

	funcs   map[int64]*function // by offset
	unwind  *unwindTable
	frames  spans // of .eh_frame, where the table is missing
	read    bool  // the tables above were
	golang  *goTable
	goRead  bool // golang was
	symbols symbols
}

// span is a function in memory.
type span struct{ addr, end uint64 }

// spans are functions in order.
type spans []span

func (l spans) sort() {
	slices.SortFunc(l, func(a, b span) int { return cmp.Or(cmp.Compare(a.addr, b.addr), cmp.Compare(a.end, b.end)) })
}

// find is the last function that begins at or before addr, if addr is in it.
func (l spans) find(addr uint64) (span, bool) {
	i, _ := slices.BinarySearchFunc(l, addr+1, func(s span, a uint64) int { return cmp.Compare(s.addr, a) })
	if i--; i < 0 || addr >= l[i].end {
		return span{}, false
	}
	return l[i], true
}

// text are the segments that are executed.
func (x *file) text() (list []elf.ProgHeader) {
	for _, p := range x.progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && p.Off < uint64(x.size) && p.Filesz <= uint64(x.size)-p.Off {
			list = append(list, p)
		}
	}
	return list
}

// chunks reads the text piece by piece; each begins with the last bytes of
// the one before, at is its offset in the file.
func (x *file) chunks(f func(b []byte, at int64)) {
	const size, overlap = 64 << 10, 16
	if x.buf == nil && x.raw == nil {
		x.buf = make([]byte, size)
	}
	for _, p := range x.text() {
		if x.raw != nil {
			f(x.raw[p.Off:p.Off+p.Filesz], int64(p.Off))
			continue
		}
		for at, end := int64(p.Off), int64(p.Off+p.Filesz); at < end; at += size - overlap {
			b := x.buf[:min(size, end-at)]
			if n, _ := x.r.ReadAt(b, at); n < len(b) {
				b = b[:n]
			}
			f(b, at)
		}
	}
}

// places lists the bytes that look like one of the instructions, in order.
func (x *file) places(list *[]Place) {
	x.chunks(func(b []byte, at int64) {
		for i := 0; ; i++ {
			n := next(b[i:])
			if n < 0 {
				break
			}
			if i += n; i+2 >= len(b) && b[i+1] != 0xa2 {
				continue // too short
			}
			switch {
			case b[i+1] == 0xa2:
				*list = append(*list, Place{at + int64(i), CPUID})
			case b[i+1] == 0x01 && b[i+2] == 0xd0:
				*list = append(*list, Place{at + int64(i), XGETBV})
			case b[i+1] == 0xc7 && b[i+2] >= 0xf8:
				*list = append(*list, Place{at + int64(i), RDSEED})
			case b[i+1] == 0xc7 && b[i+2] >= 0xf0: // below are cmpxchg16b and the like
				*list = append(*list, Place{at + int64(i), RDRAND})
			}
		}
	})
	slices.SortFunc(*list, func(a, b Place) int { return cmp.Compare(a.Off, b.Off) })
	*list = slices.Compact(*list) // the overlaps
}

// inText reports whether off is in a section of code, as far as the file tells.
func (x *file) inText(off int64) bool {
	known := false
	for _, s := range x.sections().Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		known = true
		if s.Flags&elf.SHF_EXECINSTR != 0 && uint64(off) >= s.Offset && uint64(off)-s.Offset < s.FileSize {
			return true
		}
	}
	return !known
}

// addr is where in memory the byte at off of the file lies.
func (x *file) addr(off int64) (uint64, bool) {
	for _, p := range x.progs {
		if p.Type == elf.PT_LOAD && uint64(off) >= p.Off && uint64(off)-p.Off < p.Filesz {
			return p.Vaddr + uint64(off) - p.Off, true
		}
	}
	return 0, false
}

// off is where in the file the byte at addr is.
func (x *file) off(addr uint64) (int64, bool) {
	for _, p := range x.progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			off := p.Off + addr - p.Vaddr
			return int64(off), off < uint64(x.size)
		}
	}
	return 0, false
}

// at reads n bytes at addr. Up to 16 bytes are valid until the next call: entries of
// tables, which are asked for one by one.
func (x *file) at(addr uint64, n int) ([]byte, bool) {
	off, ok := x.off(addr)
	if !ok || n < 0 || int64(n) > x.size-off {
		return nil, false
	}
	if x.raw != nil {
		return x.raw[off : off+int64(n)], true
	}
	const page, small = 4096, 16
	if n <= small {
		if i := off - x.from; i < 0 || i+int64(n) > int64(len(x.page)) {
			if x.page == nil {
				x.page = make([]byte, page)
			}
			got, _ := x.r.ReadAt(x.page[:page], off)
			x.page, x.from = x.page[:got], off
		}
		i := int(off - x.from)
		return x.page[min(i, len(x.page)):min(i+n, len(x.page))], i+n <= len(x.page)
	}
	b := make([]byte, n)
	return b, x.fill(b, off)
}

// fill reads b from off.
func (x *file) fill(b []byte, off int64) bool {
	n, _ := x.r.ReadAt(b, off)
	return n == len(b)
}

// function is the decoded function around off. ok is false where there is none
// that is known, or that cannot be decoded to its end.
func (x *file) function(off int64) (*function, bool) {
	addr, ok := x.addr(off)
	if !ok {
		return nil, false
	}
	if !x.read {
		x.read, x.funcs = true, map[int64]*function{}
		if x.unwind = x.readUnwind(); x.unwind == nil {
			x.frames = x.readFrames()
		}
	}
	for _, find := range []func(uint64) (span, bool){x.unwind.find, x.frames.find, x.goFunc, x.symbol} {
		s, ok := find(addr)
		if !ok || s.end-s.addr > maxFunction {
			continue
		}
		start, ok := x.off(s.addr)
		if !ok {
			continue
		}
		f := x.funcs[start]
		if f == nil {
			code, ok := x.at(s.addr, int(s.end-s.addr))
			if !ok {
				continue
			}
			f = &function{x: x, addr: s.addr, off: start, code: code}
			f.walk()
			x.funcs[start] = f
		}
		if f.ok {
			return f, true
		}
	}
	return nil, false
}

// buildID reports whether the first page has a note with the name of this build.
func (x *file) buildID() bool {
	const page, gnuBuildID, goBuildID = 4096, 3, 4
	for _, p := range x.progs {
		if p.Type != elf.PT_NOTE || p.Off > page || p.Filesz > page || p.Off+p.Filesz > page {
			continue
		}
		b := make([]byte, p.Filesz)
		if !x.fill(b, int64(p.Off)) {
			continue
		}
		for len(b) >= 12 {
			name, desc, typ := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
			room := uint64(len(b) - 12)
			step := (uint64(name)+3)&^3 + (uint64(desc)+3)&^3
			if step > room {
				break
			}
			who := string(b[12 : 12+name])
			if desc >= 16 && (who == "GNU\x00" && typ == gnuBuildID || who == "Go\x00\x00" && typ == goBuildID) {
				return true
			}
			b = b[12+step:]
		}
	}
	return false
}
