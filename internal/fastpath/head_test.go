package fastpath

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestHeadSite(t *testing.T) {
	var (
		pad = bytes.Repeat([]byte{0x90}, 64)
		end = []byte{0xc3}
		// musl's __syscall_cp_asm: moves of all arguments, the last two of 5 bytes.
		passing = join([]byte{0x49, 0x89, 0xfb, 0x48, 0x89, 0xf0, 0x48, 0x89, 0xd7, 0x48, 0x89, 0xce, 0x4c, 0x89, 0xc2, 0x4d, 0x89, 0xca},
			[]byte{0x4c, 0x8b, 0x44, 0x24, 8, 0x4c, 0x8b, 0x4c, 0x24, 16, 0x4c, 0x89, 0x5c, 0x24, 8})
		number    = []byte{0xb8, 4, 0, 0, 0, 0x48, 0x89, 0xef} // mov $4, %eax; mov %rbp, %rdi
		tail      = []byte{0x41, 0x89, 0xc2, 0xeb, 0x39}       // mov %eax, %r10d; jmp
		moves     = []byte{0x48, 0x89, 0xc8, 0x48, 0x89, 0xd7, 0x48, 0x89, 0xce}
		indirect  = []byte{0xff, 0xe0}                   // jmp *%rax
		begin     = []byte{0xf3, 0x0f, 0x1e, 0xfa}       // endbr64
		relative  = []byte{0x48, 0x8b, 0x3d, 1, 2, 3, 4} // mov 0x04030201(%rip), %rdi
		rdtsc     = []byte{0x0f, 0x31, 0x48, 0x89, 0xd7, 0x48, 0x89, 0xce}
		branch    = func(to int8) []byte { return []byte{0x74, byte(to)} }
		callAfter = []byte{0xe8, 0, 0, 0, 0}
	)
	for _, tt := range []struct {
		name         string
		before, tail []byte
		size         int // of what is replaced; 0: no site
	}{
		{"all arguments", join(end, passing), end, 10},
		{"all arguments, behind a switch", join(indirect, passing), end, 10},
		{"number", join(callAfter, number), tail, 8},
		{"number, behind a switch", join(indirect, number), tail, 8},
		{"moves", join(end, moves), end, 9},
		{"moves, behind a switch", join(indirect, end, moves), end, 0},
		{"moves, before a switch", join(end, moves), join(end, pad, indirect), 0},
		{"padding", join(moves[:6]), end, 0},
		{"the function begins", join(end, moves, begin, moves[:3], moves[:3]), end, 0},
		{"the function begins here", join(end, begin, moves), end, 9},
		{"behind a call", join(moves, callAfter, moves[:6]), end, 0},
		{"behind a branch", join(moves, branch(20), moves[:6]), end, 0},
		{"relative", join(end, relative, moves[:3]), end, 0},
		{"an instruction that traps", join(end, rdtsc[:5]), end, 0},
		{"a branch between", join(end, moves), join(end, branch(-(2 + 1 + 2 + 3))), 0},
		{"a branch to the first", join(end, moves), join(end, branch(-(2 + 1 + 2 + 9))), 9},
		{"a branch to the call", join(end, moves), join(end, branch(-(2 + 1 + 2))), 9},
	} {
		r := newRegion(t)
		const base = 0x7ffff7000000
		text := join(pad, tt.before, []byte{0x0f, 0x05}, tt.tail, pad, pad)
		at := len(pad) + len(tt.before)
		s := r.Find(base+uint64(at), base, text)
		if (s != nil) != (tt.size != 0) {
			t.Errorf("%s: %+v", tt.name, s)
			continue
		}
		if s == nil {
			continue
		}
		if !s.Stays() || s.End() != s.Addr || len(s.Old) != tt.size || len(s.New) != tt.size || s.Done != s.Addr+2 || s.Again != 0 {
			t.Errorf("%s: %+v", tt.name, s)
		}
		for rip, want := range map[uint64]bool{s.Start: false, s.Start + 1: true, s.Addr - 1: true, s.Addr: false, s.Addr + 2: false} {
			if s.Inside(rip) != want {
				t.Errorf("%s: at %#x inside: %v", tt.name, rip, !want)
			}
		}
		checkHead(t, tt.name, r, s)
		spreads(t, tt.name, s, base, text)
		text[at+1] ^= 1
		if r.Known(s.Addr, base, text) != nil {
			t.Errorf("%s: known where no call is", tt.name)
		}
	}
}

// checkHead follows the patch into the stub of s, and both ways out of it.
func checkHead(t *testing.T, name string, r *Region, s *Site) {
	t.Helper()
	le := binary.LittleEndian
	slot := le.Uint32(s.New[3:])
	entry := le.Uint64(r.mem[slot-Base:])
	i := int(entry-Base-stubOffset) / stubSize
	at := uint64(Base + stubOffset + stubSize*i)
	b := r.mem[at-Base:][:stubSize]
	to := func(from int) uint64 { return at + uint64(from+4) + uint64(int64(int32(le.Uint32(b[from:])))) }
	first := int(entry - at)
	if end := first + len(s.Old); !bytes.Equal(b[first:end], s.Old) || b[end] != 0xe9 || to(end+1) != at || end+5 > stubSize {
		t.Errorf("%s: entered at %d: % x", name, first, b)
	}
	if b[5] != 0xb9 || uint64(le.Uint32(b[6:])) != at || b[10] != 0xe9 || to(11) != Base {
		t.Errorf("%s: the stub begins with % x", name, b[:16])
	}
	if b[stubLeave] != 0xeb {
		t.Fatalf("%s: leaves by % x", name, b[stubLeave:])
	}
	for _, out := range []struct {
		at int
		to uint64
	}{{stubDone, s.Addr + 2}, {stubLeave + 2 + int(b[stubLeave+1]), s.Addr}} {
		if c := b[out.at:]; c[0] != 0x48 || c[1] != 0xb9 || le.Uint64(c[2:]) != out.to || c[10] != 0xff || c[11] != 0xe1 {
			t.Errorf("%s: a way out to %#x: % x", name, out.to, c[:12])
		}
	}
}
