package cpusite

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// function is the code of one function.
type function struct {
	x      *file
	addr   uint64 // in memory
	off    int64  // in the file
	code   []byte
	starts bitset // where its instructions begin
	ok     bool   // all of it was decoded

	// What is only known where one of its instructions is to be replaced.
	insts  []int32 // offsets of its instructions, and its size
	tabled []place // instructions that may name a table of places
	inside bitset  // where branches lead
	jumps  int     // to places that are computed
}

// place is an instruction of a function.
type place struct {
	at int
	inst
}

// bitset has a bit for each byte of a function.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, n/64+1) }

func (b bitset) add(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }

// maxFunction is the size of the largest function that is looked at.
const maxFunction = 1 << 20

// walk finds where the function's instructions begin.
func (f *function) walk() {
	f.starts = newBitset(len(f.code))
	at := 0
	for at < len(f.code) {
		in, ok := decode(f.code[at:])
		if !ok {
			return
		}
		f.starts.add(at)
		at += in.size
	}
	f.ok = true
}

// start is where the instruction begins that has the byte at i in it.
func (f *function) start(i int) int {
	for ; i > 0 && !f.starts.has(i); i-- {
	}
	return i
}

// decode takes the function apart.
func (f *function) decode() {
	if f.insts != nil {
		return
	}
	f.inside = newBitset(len(f.code))
	const shortest = 3 // on average
	f.insts = make([]int32, 0, len(f.code)/shortest+1)
	at := 0
	for at < len(f.code) {
		in, _ := decode(f.code[at:])
		f.insts = append(f.insts, int32(at))
		if to := at + in.target; in.branch && to >= 0 && to < len(f.code) {
			f.inside.add(to)
		}
		if !in.vectors && in.modrm != 0 && (in.opcode == opcode{0, 0x8d} && in.rip || in.opcode == opcode{0, 0xff}) {
			f.tabled = append(f.tabled, place{at, in})
		}
		if in.opcode == (opcode{0, 0xff}) && !in.vectors && f.code[at+in.modrm]>>3&7 == 4 && !in.rip {
			f.jumps++ // through a register or a table
		}
		at += in.size
	}
	f.insts = append(f.insts, int32(at))
	if f.jumps > 0 && f.x != nil {
		f.tables(f.x, f.addr)
	}
}

// tables finds where the computed jumps of f, which lies at addr, lead: each goes
// through a table of 32-bit distances from itself, whose address is taken in
// the function, or of addresses. If there are fewer tables than jumps,
// nothing is known.
func (f *function) tables(x *file, addr uint64) {
	seen := map[uint64]bool{}
	for _, in := range f.tabled {
		at := in.at
		code := f.code[at : at+in.size]
		switch {
		case in.opcode == opcode{0, 0x8d}:
			table := addr + uint64(at+in.size) + uint64(int64(int32(binary.LittleEndian.Uint32(code[in.modrm+1:]))))
			if !seen[table] && f.table(x, addr, table, 4) {
				seen[table] = true
			}
		case code[in.modrm] == 0x24 && code[in.modrm+1]&7 == 5: // jmp *table(,%reg,8)
			table := uint64(binary.LittleEndian.Uint32(code[in.modrm+2:]))
			if !seen[table] && f.table(x, addr, table, 8) {
				seen[table] = true
			}
		}
	}
	f.jumps = max(f.jumps-len(seen), 0)
}

// table adds the places in f that a table with entries of so many bytes names.
func (f *function) table(x *file, addr, table uint64, size int) bool {
	n := 0
	for ; n < 4096; n++ {
		b, ok := x.at(table+uint64(n*size), size)
		if !ok {
			break
		}
		to := uint64(0)
		if size == 8 {
			to = binary.LittleEndian.Uint64(b)
		} else {
			to = table + uint64(int64(int32(binary.LittleEndian.Uint32(b))))
		}
		if to-addr >= uint64(len(f.code)) {
			break
		}
		f.inside.add(int(to - addr))
	}
	return n > 1
}

// site is the one at c. ok is false if that is not where an instruction starts.
func (f *function) site(c Place) (Site, bool) {
	// Prefixes come before the bytes that were found.
	want := int(c.Off - f.off)
	if want < 0 || want >= len(f.code) {
		return Site{}, false
	}
	at := f.start(want)
	in, _ := decode(f.code[at:])
	opcodeAt := at + in.size - 2
	if c.Op != CPUID {
		opcodeAt--
	}
	if in.vectors || opcodeAt != want {
		return Site{}, false
	}
	op := look(&in, f.code[at:at+in.size])
	if op == 0 {
		return Site{}, false
	}
	f.decode()
	i, _ := slices.BinarySearch(f.insts, int32(at))
	s := Site{Off: f.off + int64(at), Op: op, Size: in.size, Old: bytes.Clone(f.code[at : at+in.size])}
	if op == CPUID && in.size == 2 || op == XGETBV && in.size == 3 {
		f.widen(&s, i)
	}
	return s, true
}

// widen looks for instructions around the i-th that can be moved away with it.
func (f *function) widen(s *Site, i int) {
	if f.jumps > 0 {
		return
	}
	const most = 3
	for before := range most {
		for after := range most + 2 {
			if i-before < 0 || i+1+after >= len(f.insts) {
				continue
			}
			from, at, next, to := int(f.insts[i-before]), int(f.insts[i]), int(f.insts[i+1]), int(f.insts[i+1+after])
			if to-from < Jump || f.entered(from, to) {
				continue
			}
			head, ok1 := Move(f.code[from:at], 0)
			tail, ok2 := Move(f.code[next:to], 0)
			if ok1 && ok2 && len(head)+len(tail) <= Room {
				s.Old, s.Before = bytes.Clone(f.code[from:to]), at-from
				return
			}
		}
	}
}

// entered reports whether a branch of the function leads between from and to.
func (f *function) entered(from, to int) bool {
	for at := from + 1; at < to; at++ {
		if f.inside.has(at) {
			return true
		}
	}
	return false
}

// branches calls found for each near branch with a 32-bit displacement that b
// may hold: at i, to to. Taken at every offset; by chance one of four
// billion leads to a given place.
func branches(b []byte, found func(i int, to int64)) {
	try := func(i, op int) {
		if op+5 <= len(b) {
			found(i, int64(op)+5+int64(int32(binary.LittleEndian.Uint32(b[op+1:]))))
		}
	}
	for _, op := range []byte{0xe8, 0xe9, 0x0f} {
		for i := 0; ; i++ {
			n := bytes.IndexByte(b[i:], op)
			if n < 0 {
				break
			}
			i += n
			switch {
			case op != 0x0f:
				try(i, i)
			case i+1 < len(b) && b[i+1]&0xf0 == 0x80:
				try(i, i+1)
			}
		}
	}
}
