// Package cpusite finds the instructions by which a program looks at the CPU
// (cpuid, xgetbv, rdrand, rdseed, rdpid) in the text of an ELF file, and says
// how each can be replaced.
//
// A wrong guess would spoil a program, so only what is proved counts: the bytes
// lie in a function whose bounds the file tells (unwind table, Go's function
// table, symbols), and decoding that function from its first to its last byte
// meets an instruction there. Bytes that are part of another instruction are
// none of these; those that nothing is known of are counted as unproved.
//
// Content of files is not trusted: whatever it is, there is a result or an error.
package cpusite

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Op is what an instruction asks for.
type Op uint8

const (
	CPUID Op = iota + 1
	XGETBV
	RDRAND
	RDSEED
	RDPID
)

// String is the name of the instruction.
func (o Op) String() string {
	names := [...]string{CPUID: "cpuid", XGETBV: "xgetbv", RDRAND: "rdrand", RDSEED: "rdseed", RDPID: "rdpid"}
	if int(o) < len(names) && o > 0 {
		return names[o]
	}
	return fmt.Sprintf("instruction %d", uint8(o))
}

// Site is one of these instructions.
type Site struct {
	Off  int64  // of the instruction in the file
	Addr uint64 // and in memory, before the file is moved
	Op   Op
	Size int    // of the instruction
	Old  []byte // all that may be replaced, from Before bytes ahead of Off on
	// Before is how much of Old comes before the instruction. Old is at least
	// Jump bytes, and no branch leads into it but to its beginning; or it is
	// just the instruction.
	Before int
}

// Jump is the size of what replaces a Site as a whole (see package fastpath).
const Jump = 7

// Room is how much Move may make of the instructions around the one of a Site.
const Room = 26

// Trap is the instruction of s such that it traps: rdmsr in its place, which is
// a general protection fault at the same address.
func (s *Site) Trap() []byte {
	b := slices.Clone(s.Old[s.Before : s.Before+s.Size])
	if i := slices.Index(b, 0x0f); i >= 0 && i+1 < len(b) {
		b[i+1] = 0x32
	}
	return b
}

// Result is what was found in one file.
type Result struct {
	Sites []Site
	// Start is where in memory the first byte of the file is, before it is moved.
	Start uint64
	// Unproved are the instructions, if they are some, of which nothing is known.
	Unproved []Place
	// BuildID: the first page holds a note that tells this content from any other.
	BuildID bool
}

// Place is where something stands in a file.
type Place struct {
	Off int64
	Op  Op
}

// ErrFormat says that a file is no x86-64 ELF file.
var ErrFormat = errors.New("not an x86-64 ELF file")

// maxJumps is up to how much text branches are looked for in: beyond, sites trap.
const maxJumps = 16 << 20

// File looks through a file of the given size.
func File(r io.ReaderAt, size int64) (Result, error) { return find(&file{r: r, size: size}) }

// Bytes looks through a file whose content is b, of which nothing is kept.
func Bytes(b []byte) (Result, error) {
	return find(&file{r: bytes.NewReader(b), raw: b, size: int64(len(b))})
}

func find(x *file) (Result, error) {
	if !x.readHead() {
		return Result{}, ErrFormat
	}
	res := Result{BuildID: x.buildID()}
	if i := slices.IndexFunc(x.progs, func(p elf.ProgHeader) bool { return p.Type == elf.PT_LOAD }); i >= 0 {
		res.Start = x.progs[i].Vaddr - x.progs[i].Off
	}
	if x.places(&res.Unproved); len(res.Unproved) == 0 {
		return res, nil
	}
	candidates := res.Unproved
	res.Unproved = nil
	var wide []*Site
	for _, c := range candidates {
		fn, ok := x.function(c.Off)
		if !ok {
			if x.inText(c.Off) {
				res.Unproved = append(res.Unproved, c)
			}
			continue
		}
		if s, ok := fn.site(c); ok {
			s.Addr, _ = x.addr(s.Off)
			res.Sites = append(res.Sites, s)
		}
	}
	for i := range res.Sites {
		if s := &res.Sites[i]; len(s.Old) >= Jump {
			wide = append(wide, s)
		}
	}
	if len(wide) > 0 {
		x.narrow(wide)
	}
	return res, nil
}

// narrow makes those sites trap into which a branch leads from anywhere in the
// text: parts of a function may lie far from it.
func (x *file) narrow(wide []*Site) {
	trap := func(s *Site) { s.Old, s.Before = s.Old[s.Before:s.Before+s.Size], 0 }
	lo, hi := int64(1)<<62, int64(0)
	for _, s := range wide {
		lo, hi = min(lo, s.Off-int64(s.Before)), max(hi, s.Off-int64(s.Before)+int64(len(s.Old)))
	}
	total := int64(0)
	for _, p := range x.text() {
		total += int64(p.Filesz)
	}
	if total > maxJumps || len(x.text()) != 1 { // one segment: distances in the file are those in memory
		for _, s := range wide {
			trap(s)
		}
		return
	}
	x.chunks(func(b []byte, at int64) {
		branches(b, func(i int, to int64) {
			if to += at; to <= lo || to >= hi {
				return
			}
			for _, s := range wide {
				if start := s.Off - int64(s.Before); to > start && to < start+int64(len(s.Old)) {
					trap(s)
				}
			}
		})
	})
}
