package fastpath

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/sys/unix"
)

func newRegion(t *testing.T) *Region {
	t.Helper()
	return regionOf(t, Facts{})
}

func regionOf(t *testing.T, facts Facts) *Region {
	t.Helper()
	fd, err := unix.MemfdCreate("region", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "region")
	defer f.Close()
	if err := f.Truncate(FileSize); err != nil {
		t.Fatal(err)
	}
	r, err := New(f, facts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestFind(t *testing.T) {
	var (
		pad     = bytes.Repeat([]byte{0x90}, 64) // nop
		mov     = []byte{0xb8, 1, 1, 0, 0}       // mov $257, %eax
		bigMov  = []byte{0xb8, 0, 0, 1, 0}       // mov $65536, %eax
		zero    = []byte{0x31, 0xc0}             // xor %eax, %eax
		call    = []byte{0x0f, 0x05}
		cmp     = []byte{0x48, 0x3d, 0, 0xf0, 0xff, 0xff} // cmp $-4096, %rax
		ja      = []byte{0x77, 0x10}
		ret     = []byte{0xc3}
		relLoad = []byte{0x48, 0x8b, 0x05, 1, 2, 3, 4}       // mov 0x04030201(%rip), %rax
		relRCX  = []byte{0x48, 0x89, 0x0d, 1, 2, 3, 4}       // mov %rcx, 0x04030201(%rip)
		relVec  = []byte{0xc5, 0xfa, 0x6f, 0x05, 1, 2, 3, 4} // vmovdqu 0x04030201(%rip), %xmm0
		short   = func(to int8) []byte { return []byte{0x74, byte(to)} }
		long    = func(to int32) []byte { return binary.LittleEndian.AppendUint32([]byte{0x0f, 0x84}, uint32(to)) }
	)
	tests := []struct {
		name         string
		before, tail []byte
		start, size  int // relative to the call; size 0: no site
	}{
		{"constant number", mov, ja, -5, 7},
		{"constant number, then the end", mov, ret, -5, 7},
		{"number out of range, compare", bigMov, join(cmp, ja), 0, 8},
		{"compare", zero, join(cmp, ja), 0, 8},
		{"branch too early", zero, join([]byte{0x85, 0xc0}, ja, pad), 0, 0},
		{"return", zero, ret, 0, 0},
		{"two instructions", zero, []byte{0x48, 0x89, 0xc7, 0x48, 0x89, 0xc6, 0xc3}, 0, 8},
		{"relative operand", zero, relLoad, 0, 9},
		{"relative operand and the free register", zero, relRCX, 0, 0},
		{"relative operand of a vector instruction", zero, relVec, 0, 0},
		{"another call", zero, call, 0, 0},
		{"short jump to the compare", zero, join(cmp, ja, short(-(6 + 2 + 2))), 0, 0},
		{"short jump to the call itself", zero, join(cmp, ja, short(-(6 + 2 + 2 + 2))), 0, 8},
		{"short jump to the call behind its number", mov, join(cmp, ja, short(-(6 + 2 + 2 + 2))), 0, 0},
		{"long jump to the compare", zero, join(cmp, pad, pad, pad, long(-(6 + 3*64 + 6))), 0, 0},
		{"long jump behind it", zero, join(cmp, pad, pad, pad, long(-(3*64 + 6))), 0, 8},
	}
	for _, tt := range tests {
		r := newRegion(t)
		const base = 0x7ffff7000000
		text := join(pad, tt.before, call, tt.tail, pad, pad)
		at := len(pad) + len(tt.before)
		s := r.Find(base+uint64(at), base, text)
		if (s != nil) != (tt.size != 0) {
			t.Errorf("%s: %+v", tt.name, s)
			continue
		}
		if s == nil {
			continue
		}
		if int(s.Start-base)-at != tt.start || len(s.Old) != tt.size || len(s.New) != tt.size {
			t.Errorf("%s: start %d, size %d", tt.name, int(s.Start-base)-at, len(s.Old))
		}
		if !bytes.Equal(s.Old, text[s.Start-base:s.End()-base]) {
			t.Errorf("%s: old % x", tt.name, s.Old)
		}
		checkStub(t, tt.name, r, s)
		if r.Find(s.Addr, base, text) != s || r.Known(s.Addr, base, text) != s {
			t.Errorf("%s: another site for the same bytes", tt.name)
		}
		spreads(t, tt.name, s, base, text)
		text[s.Start-base] ^= 1
		if r.Known(s.Addr, base, text) != nil {
			t.Errorf("%s: known in other text", tt.name)
		}
	}
}

// spreads checks that s, found in text at base, becomes at another address what would
// be found there.
func spreads(t *testing.T, name string, s *Site, base uint64, text []byte) {
	t.Helper()
	const ino, other, offset = 7, 0x7fff12345000, 0x26000
	found, spread := newRegion(t), newRegion(t)
	at := s.Addr - base
	found.Find(s.Addr, base, text)
	want := found.Find(other+at, other, text)
	spread.Place(spread.Find(s.Addr, base, text), ino, offset+at)
	if !spread.Knows(ino) || spread.Knows(ino+1) || !spread.Unseen(other+at) {
		t.Errorf("%s: file %d is not known", name, ino)
	}
	from, to := s.Start-base+offset, s.End()-base+offset
	spread.Spread(ino+1, other-offset, from, to, 0)
	spread.Spread(ino, other-offset, from+1, to, 0)
	spread.Spread(ino, other-offset, from, to-1, 0)
	if spread.Known(other+at, other, text) != nil {
		t.Errorf("%s: known where it is not mapped", name)
	}
	spread.Spread(ino, other-offset, from, to, 0)
	spread.Spread(ino, other-offset, from, to, 0)
	got := spread.Known(other+at, other, text)
	if got == nil || got.Done != want.Done || got.Again != want.Again || got.Start != want.Start || !bytes.Equal(got.New, want.New) || !bytes.Equal(spread.mem, found.mem) {
		t.Errorf("%s: %+v elsewhere, want %+v", name, got, want)
	}
	if spread.Unseen(other + at) {
		t.Errorf("%s: unseen", name)
	}
}

// Where stubs are scarce only those are made that are needed now.
func TestSpreadFew(t *testing.T) {
	text := bytes.Repeat([]byte{0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0x90}, 3)
	r := newRegion(t)
	const base, other = 0x7ffff7000000, 0x7fff12345000
	for i := range uint64(3) {
		r.Place(r.Find(base+8*i+5, base, text), 7, 8*i+5)
	}
	r.stubs = few
	r.Spread(7, other, 0, uint64(len(text)), 8+5)
	for i := range uint64(3) {
		if s := r.Known(other+8*i+5, other, text); (s != nil) != (i == 1) {
			t.Errorf("site %d: %+v", i, s)
		}
	}
}

// checkStub follows the patch through the pointer into the stub and checks
// every instruction there.
func checkStub(t *testing.T, name string, r *Region, s *Site) {
	t.Helper()
	le := binary.LittleEndian
	slot := le.Uint32(s.New[3:])
	if !bytes.Equal(s.New[:3], []byte{0xff, 0x24, 0x25}) || slot < Base+pointerOffset || slot >= Base+stubOffset {
		t.Fatalf("%s: patch % x", name, s.New)
	}
	at := le.Uint64(r.mem[slot-Base:])
	if !InStub(at) || at+stubDone != s.Done || !InStub(s.Done) || InCode(at) {
		t.Fatalf("%s: stub at %#x, done %#x", name, at, s.Done)
	}
	b := r.mem[at-Base:][:stubSize]
	var ops []x86asm.Op
	for i := 0; ; {
		in, err := x86asm.Decode(b[i:], 64)
		if err != nil {
			t.Fatalf("%s: at %d: %v", name, i, err)
		}
		ops = append(ops, in.Op)
		if rel, ok := in.Args[0].(x86asm.Rel); ok && at+uint64(i+in.Len)+uint64(rel) != Base {
			t.Errorf("%s: jumps to %#x", name, at+uint64(i+in.Len)+uint64(rel))
		}
		if in.Op == x86asm.SYSCALL && i != stubLeave {
			t.Errorf("%s: the call is at %d", name, i)
		}
		i += in.Len
		if in.Op == x86asm.JMP && i > stubTail {
			if le.Uint64(b[i:]) != s.End() {
				t.Errorf("%s: goes on at %#x, want %#x", name, le.Uint64(b[i:]), s.End())
			}
			break
		}
	}
	tail, rcx := stubTail, stubDone
	if s.spoils {
		tail, rcx = stubDone, stubDone+len(s.tail)
	}
	if got := b[tail : tail+len(s.tail)]; !bytes.Equal(got, s.tail) {
		t.Errorf("%s: tail % x", name, got)
	}
	if le.Uint64(b[rcx+2:]) != s.Addr+2 {
		t.Errorf("%s: rcx %#x", name, le.Uint64(b[rcx+2:]))
	}
	if len(ops) < 6 {
		t.Errorf("%s: %v", name, ops)
	}
}

// TestRelocate: operands relative to the instruction's place become absolute
// ones, and nothing else of the instruction changes.
func TestRelocate(t *testing.T) {
	const addr = 0x7ffff7fc1000
	tests := []struct{ name, in, first, tail string }{
		{"byte", "80 25 52 86 01 00 df", "48 ba 59 96 fd f7 ff 7f 00 00 80 22 df", ""},                // andb $0xdf, 0x18652(%rip)
		{"address", "4c 8d 2d 55 7e 01 00", "", "49 bd 5c 8e fd f7 ff 7f 00 00"},                      // lea 0x17e55(%rip), %r13
		{"wide register", "4c 8b 3d f0 ff ff ff", "48 ba f7 0f fc f7 ff 7f 00 00 4c 8b 3a", ""},       // mov -16(%rip), %r15
		{"useless bits", "4f 8b 3d f0 ff ff ff", "48 ba f7 0f fc f7 ff 7f 00 00 4c 8b 3a", ""},        // the same with REX.X and REX.B
		{"two bytes of opcode", "0f b6 3d 10 00 00 00", "48 ba 17 10 fc f7 ff 7f 00 00 0f b6 3a", ""}, // movzbl 0x10(%rip), %edi
		{"result of rdtsc", "48 89 05 b0 72 01 00", "", "refused"},                                    // mov %rax, 0x172b0(%rip)
		{"prefix", "66 89 3d b0 72 01 00", "", "refused"},                                             // mov %di, 0x172b0(%rip)
		{"implicit registers", "f7 25 10 00 00 00", "", "refused"},                                    // mull 0x10(%rip)
	}
	hex := func(text string) []byte {
		var b []byte
		for f := range strings.FieldsSeq(text) {
			v, err := strconv.ParseUint(f, 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, byte(v))
		}
		return b
	}
	for _, tt := range tests {
		s := &Site{}
		in := hex(tt.in)
		n := s.move(in, addr, tscRead)
		if tt.tail == "refused" {
			if n != 0 {
				t.Errorf("%s: moved", tt.name)
			}
			continue
		}
		if n != len(in) || !bytes.Equal(s.first, hex(tt.first)) || !bytes.Equal(s.tail, hex(tt.tail)) {
			t.Errorf("%s: size %d, first % x, tail % x", tt.name, n, s.first, s.tail)
		}
	}
}

// TestFirst: what is done before rdtsc leads into the stub, and a thread that
// stands at the site does it too.
func TestFirst(t *testing.T) {
	r := newRegion(t)
	const base = 0x7ffff7000000
	pad := bytes.Repeat([]byte{0x90}, 64)
	text := join(pad, []byte{0x0f, 0x31}, []byte{0x80, 0x25, 0x52, 0x86, 1, 0, 0xdf}, pad)
	s := r.Find(base+64, base, text)
	if s == nil || len(s.Old) != 9 {
		t.Fatalf("%+v", s)
	}
	at := s.Done - stubDone
	slot := binary.LittleEndian.Uint32(s.New[3:])
	if to := binary.LittleEndian.Uint64(r.mem[slot-Base:]); to != s.Again || to <= at {
		t.Errorf("entered at %#x, again at %#x, stub at %#x", to, s.Again, at)
	}
	b := r.mem[s.Again-Base:]
	if !bytes.Equal(b[:len(s.first)], s.first) || b[len(s.first)] != 0xe9 {
		t.Fatalf("begins with % x", b[:len(s.first)+1])
	}
	if to := s.Again + uint64(len(s.first)) + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(b[len(s.first)+1:])))); to != at {
		t.Errorf("goes on at %#x, want %#x", to, at)
	}
	if at+stubSize < s.Again+uint64(len(s.first))+5 {
		t.Error("the stub is too long")
	}
}

func TestServedIsClamped(t *testing.T) {
	r := newRegion(t)
	r.Arm(5, 0, 0, 0, 0)
	r.state.word(offServed).Store(3)
	if n := r.Served(); n != 3 {
		t.Errorf("%d", n)
	}
	r.state.word(offServed).Store(1 << 63)
	if n := r.Served(); n != 5 {
		t.Errorf("%d", n)
	}
	if n := r.Served(); n != 0 {
		t.Errorf("%d", n)
	}
	r.Arm(-1, 0, 0, 0, 0)
	r.state.word(offServed).Store(1)
	if n := r.Served(); n != 0 {
		t.Errorf("%d", n)
	}
}

func TestStubsRunOut(t *testing.T) {
	r := newRegion(t)
	text := join(bytes.Repeat([]byte{0x90}, 64), []byte{0xb8, 1, 0, 0, 0, 0x0f, 0x05}, bytes.Repeat([]byte{0x90}, 64))
	for i := range maxStubs + 1 {
		base := uint64(0x400000 + 0x1000*i)
		if s := r.Find(base+69, base, text); (s != nil) != (i < maxStubs) {
			t.Fatalf("stub %d: %+v", i, s)
		}
	}
	if n := len(r.Addrs(0, 1<<62)); n != maxStubs {
		t.Errorf("%d addresses", n)
	}
	if n := len(r.Addrs(0x400000, 0x402000)); n != 2 {
		t.Errorf("%d addresses in two pages", n)
	}
}

// Where addresses are random a site is looked for late, and what is remembered
// of addresses is bounded.
func TestWantedRandom(t *testing.T) {
	r := newRegion(t)
	r.random = true
	for i := 1; i <= worthAlone; i++ {
		if got := r.Wanted(7); got != (i == worthAlone) {
			t.Errorf("stop %d: %v", i, got)
		}
	}
	for i := range uint64(3 * maxSeen) {
		r.Wanted(1000 + i)
	}
	if len(r.seen) > maxSeen {
		t.Errorf("%d addresses", len(r.seen))
	}
}

// Owners are the kernel's to change where it knows them.
func TestOwnersServed(t *testing.T) {
	for _, single := range []bool{false, true} {
		r := regionOf(t, Facts{SingleID: single})
		for _, nr := range []int{unix.SYS_CHOWN, unix.SYS_FCHOWN, unix.SYS_LCHOWN, unix.SYS_FCHOWNAT} {
			if r.Serves(nr) == single {
				t.Errorf("call %d, one id %v: served %v", nr, single, !single)
			}
		}
	}
}
