package vdso

import (
	"encoding/binary"
	"errors"
	"maps"
	"testing"
)

const testSP = 0x7fffffffe000

// stackOf builds an initial stack: argc, argv, envp, then the vector.
func stackOf(argv, envp []uint64, auxv ...uint64) []byte {
	w := append([]uint64{uint64(len(argv))}, argv...)
	w = append(append(append(w, 0), envp...), 0)
	w = append(w, auxv...)
	var b []byte
	for _, v := range w {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// fixed applies the patches and gives the vector as a map.
func fixed(t *testing.T, stack []byte, first int, opts AuxvOpts) (map[uint64]uint64, Auxv) {
	t.Helper()
	a, err := FixAuxv(stack, testSP, opts)
	if err != nil {
		t.Fatal(err)
	}
	b := append([]byte(nil), stack...)
	for _, p := range a.Patches {
		if p.Addr >= testSP && p.Addr < testSP+uint64(len(b)) {
			binary.LittleEndian.PutUint64(b[p.Addr-testSP:], p.Value)
		}
	}
	m := map[uint64]uint64{}
	for i := 8 * first; ; i += 16 {
		typ := binary.LittleEndian.Uint64(b[i:])
		if typ == atNull {
			return m, a
		}
		if typ != atIgnore {
			m[typ] = binary.LittleEndian.Uint64(b[i+8:])
		}
	}
}

func TestFixAuxv(t *testing.T) {
	stack := stackOf([]uint64{0x1000, 0x1001}, []uint64{0x2000},
		33, 0x7fff00000000, // AT_SYSINFO_EHDR
		51, 3632, // AT_MINSIGSTKSZ
		16, 0xbfebfbff, // AT_HWCAP
		6, 4096, // AT_PAGESZ
		17, 250, // AT_CLKTCK
		11, 1000, // AT_UID
		25, 0x3000, // AT_RANDOM
		26, 2, // AT_HWCAP2
		31, 0x4000, // AT_EXECFN
		15, 0x5000, // AT_PLATFORM
		27, 28, 28, 32, // AT_RSEQ_*
		29, 1, 30, 1, // AT_HWCAP3, 4
		99, 7, // of a future kernel
		0, 0)
	got, a := fixed(t, stack, 6, AuxvOpts{Random: &[16]byte{1, 15: 2}, HWCAP: 0x78bfbff})
	want := map[uint64]uint64{
		33: 0x7fff00000000, 51: minSigStack, 16: 0x78bfbff, 6: 4096, 17: 100, 11: 1000,
		25: 0x3000, 26: 0, 31: 0x4000, 15: 0x5000,
	}
	if !maps.Equal(got, want) {
		t.Errorf("vector %v, want %v", got, want)
	}
	if a.SysinfoEHDR != 0x7fff00000000 || a.Random != 0x3000 || a.ExecFn != 0x4000 {
		t.Errorf("places %+v", a)
	}
	random := a.Patches[len(a.Patches)-2:]
	if random[0] != (Patch{0x3000, 1}) || random[1] != (Patch{0x3008, 2 << 56}) {
		t.Errorf("random patches %#x", random)
	}
}

// A vector of another host must come out the same.
func TestFixAuxvHidesTheHost(t *testing.T) {
	one, _ := fixed(t, stackOf(nil, nil, 51, 3632, 16, 0xbfebfbff, 26, 2, 27, 28, 28, 32, 0, 0), 3, AuxvOpts{})
	two, _ := fixed(t, stackOf(nil, nil, 51, 11952, 16, 0x178bfbff, 26, 0, 29, 5, 28, 64, 0, 0), 3, AuxvOpts{})
	if !maps.Equal(one, two) {
		t.Errorf("%v and %v", one, two)
	}
}

func TestMinSigStackIsNeverTooSmall(t *testing.T) {
	for _, need := range []uint64{1, 2048, 3632, 11952, 16384, 16385, 70000} {
		if _, got := fixEntry(atMinsigstksz, need, 0); got < need {
			t.Errorf("need %d, given %d", need, got)
		}
	}
}

func TestFixAuxvErrors(t *testing.T) {
	whole := stackOf([]uint64{1}, []uint64{2, 3}, 6, 4096, 0, 0)
	for n := 0; n < len(whole); n++ {
		_, err := FixAuxv(whole[:n], testSP, AuxvOpts{})
		if n < len(whole) && !errors.Is(err, ErrShort) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	var long []uint64
	for range maxAuxEntries + 1 {
		long = append(long, 6, 4096)
	}
	bad := map[string][]byte{
		"huge argc":        binary.LittleEndian.AppendUint64(nil, 1<<63),
		"argv has no end":  stackOf([]uint64{1}, nil)[:8:8],
		"endless vector":   stackOf(nil, nil, append(long, 0, 0)...),
		"argc is too much": binary.LittleEndian.AppendUint64(nil, 1<<24),
	}
	bad["argv has no end"] = append(bad["argv has no end"], make([]byte, 16)...)
	bad["argv has no end"][16] = 1
	for name, b := range bad {
		if _, err := FixAuxv(b, testSP, AuxvOpts{}); !errors.Is(err, ErrStack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFixAuxv(f *testing.F) {
	f.Add(stackOf([]uint64{1}, []uint64{2}, 33, 4096, 25, 8192, 51, 3632, 0, 0), uint64(testSP))
	f.Add([]byte{}, uint64(0))
	f.Add(binary.LittleEndian.AppendUint64(nil, 1<<63-1), ^uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, sp uint64) {
		a, err := FixAuxv(b, sp, AuxvOpts{})
		if err != nil {
			if !errors.Is(err, ErrShort) && !errors.Is(err, ErrStack) {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		for _, p := range a.Patches {
			if off := p.Addr - sp; off%8 != 0 || off+8 > uint64(len(b)) {
				t.Fatalf("patch at offset %#x of %d bytes", off, len(b))
			}
		}
	})
}
