package fastpath

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/sys/unix"
)

func newRegion(t *testing.T) *Region {
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
	r, err := New(f, Facts{})
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
		relLoad = []byte{0x48, 0x8b, 0x05, 1, 2, 3, 4} // mov 0x04030201(%rip), %rax
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
		{"relative operand", zero, relLoad, 0, 0},
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
		text[s.Start-base] ^= 1
		if r.Known(s.Addr, base, text) != nil {
			t.Errorf("%s: known in other text", tt.name)
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
	if got := b[stubTail : stubTail+len(s.tail())]; !bytes.Equal(got, s.tail()) {
		t.Errorf("%s: tail % x", name, got)
	}
	if le.Uint64(b[stubDone+2:]) != s.Addr+2 {
		t.Errorf("%s: rcx %#x", name, le.Uint64(b[stubDone+2:]))
	}
	if len(ops) < 6 {
		t.Errorf("%s: %v", name, ops)
	}
}

func TestServedIsClamped(t *testing.T) {
	r := newRegion(t)
	r.Arm(5, 0, 0, 0)
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
	r.Arm(-1, 0, 0, 0)
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
