package vdso

import (
	"bytes"
	"debug/elf"
	"testing"

	"golang.org/x/sys/unix"
)

func parse(t *testing.T) (*elf.File, []byte) {
	t.Helper()
	img := Image()
	f, err := elf.NewFile(bytes.NewReader(img))
	if err != nil {
		t.Fatal(err)
	}
	return f, img
}

func TestImageFitsAndIsStable(t *testing.T) {
	img := Image()
	if len(img) > MaxImage {
		t.Errorf("%d bytes, want at most %d", len(img), MaxImage)
	}
	if !bytes.Equal(img, Image()) {
		t.Error("two images differ")
	}
	for _, size := range []int{0, len(img), MaxImage, 2 * MaxImage} {
		c := Cover(size)
		if len(c) != max(size, len(img)) || !bytes.HasPrefix(c, img) {
			t.Errorf("Cover(%d) has %d bytes", size, len(c))
		}
	}
}

func TestSymbols(t *testing.T) {
	f, img := parse(t)
	if got, err := f.DynString(elf.DT_SONAME); err != nil || len(got) != 1 || got[0] != soname {
		t.Errorf("soname %q, %v", got, err)
	}
	syms, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]elf.Symbol{}
	for _, s := range syms {
		got[s.Name] = s
		if s.Version != version {
			t.Errorf("%s has version %q", s.Name, s.Version)
		}
	}
	if len(got) != 2*len(functions()) {
		t.Errorf("%d symbols: %v", len(got), got)
	}
	for _, fn := range functions() {
		for name, bind := range map[string]elf.SymBind{"__vdso_" + fn.name: elf.STB_GLOBAL, fn.name: elf.STB_WEAK} {
			s, ok := got[name]
			if !ok || elf.ST_BIND(s.Info) != bind || elf.ST_TYPE(s.Info) != elf.STT_FUNC {
				t.Errorf("%s: %+v", name, s)
				continue
			}
			want := stub(fn.nr)
			if !bytes.Equal(img[s.Value:s.Value+stubSize], want[:]) {
				t.Errorf("%s does not point to its code", name)
			}
		}
	}
	for _, absent := range []string{"__vdso_getrandom", "__vdso_sgx_enter_enclave"} {
		if _, ok := got[absent]; ok {
			t.Errorf("%s is there", absent)
		}
	}
	if functions()[0].nr != unix.SYS_CLOCK_GETTIME {
		t.Error("clock_gettime has another number")
	}
}

// TestHashLookup finds every symbol as a loader does, and misses others.
func TestHashLookup(t *testing.T) {
	if h := sysvHash(version); h != 0x3ae75f6 { // the constant in runtime/vdso_linux_amd64.go
		t.Errorf("hash of %s is %#x", version, h)
	}
	f, img := parse(t)
	sec := f.Section(".hash")
	word := func(i uint32) uint32 { return f.ByteOrder.Uint32(img[sec.Offset+4*uint64(i):]) }
	syms, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	nbucket, nchain := word(0), word(1)
	if int(nchain) != len(syms)+1 {
		t.Fatalf("nchain %d, %d symbols", nchain, len(syms))
	}
	find := func(name string) bool {
		for i := word(2 + sysvHash(name)%nbucket); i != 0; i = word(2 + nbucket + i) {
			if syms[i-1].Name == name {
				return true
			}
		}
		return false
	}
	for _, s := range syms {
		if !find(s.Name) {
			t.Errorf("%s is not in the hash table", s.Name)
		}
	}
	if find("__vdso_getrandom") {
		t.Error("found what is not there")
	}
}

func TestSegments(t *testing.T) {
	f, img := parse(t)
	if f.Type != elf.ET_DYN || f.Machine != elf.EM_X86_64 {
		t.Errorf("type %v, machine %v", f.Type, f.Machine)
	}
	found := map[elf.ProgType]bool{}
	for _, p := range f.Progs {
		found[p.Type] = true
		if p.Off+p.Filesz > uint64(len(img)) || p.Off != p.Vaddr {
			t.Errorf("%v: offset %#x, address %#x, size %#x", p.Type, p.Off, p.Vaddr, p.Filesz)
		}
	}
	for _, want := range []elf.ProgType{elf.PT_LOAD, elf.PT_DYNAMIC, elf.PT_GNU_EH_FRAME} {
		if !found[want] {
			t.Errorf("no %v", want)
		}
	}
	if f.Section(".eh_frame").Addr%8 != 0 {
		t.Error(".eh_frame is not where its header says")
	}
}

func TestInMaps(t *testing.T) {
	const vdso = "7fff00010000-7fff00012000 r-xp 00000000 00:00 0                          [vdso]\n"
	tests := []struct {
		maps string
		want Host
	}{
		{"00400000-00401000 r-xp 00000000 00:00 0  /bin/x\n7fff0000c000-7fff00010000 r--p 00000000 00:00 0        [vvar]\n" + vdso, Host{0x2000, 0x4000}},
		{"7fff0000a000-7fff0000e000 r--p 0 00:00 0 [vvar]\n7fff0000e000-7fff00010000 r--p 0 00:00 0 [vvar_vclock]\n" + vdso, Host{0x2000, 0x6000}},
		{"7fff0000a000-7fff0000e000 r--p 0 00:00 0 [vvar]\n" + vdso, Host{}}, // a gap
		{vdso, Host{}},
		{"", Host{}},
		{"zz-yy r-xp 0 [vdso]\n", Host{}},
		{"2000-1000 r-xp 0 [vvar]\n", Host{}},
		{"0-ffffffffffffffff r-xp 0 [vdso]\n", Host{}},
	}
	for _, tt := range tests {
		got, err := inMaps([]byte(tt.maps))
		if got != tt.want || (err == nil) != (tt.want != Host{}) {
			t.Errorf("%q: %+v, %v", tt.maps, got, err)
		}
	}
	if h, err := ReadHost(); err != nil || h.Code < MaxImage || h.Code%4096 != 0 || h.Data < 4096 || h.Data%4096 != 0 {
		t.Errorf("ReadHost() = %+v, %v", h, err)
	}
}

func TestEntry(t *testing.T) {
	const base, program = 0x7fff00010000, 0x1234567890
	tests := map[string]*Region{
		"no region":  nil,
		"a region":   {Path: "/sys/kernel/dettrace", Base: 0x180000, Text: 0x4a000, State: 0x1000},
		"and a copy": {Path: "/sys/kernel/dettrace", Base: 0x180000, Text: 0x4a000, State: 0x1000, Over: Overlay{0x7ffff7fcb000, 0x26000, 0x100000}},
	}
	for name, r := range tests {
		e := &Entry{Base: base, Data: 0x6000, Program: program, Region: r, Faults: true}
		code, regionTrap, dataTrap, _, _ := entryCode(e)
		if len(code) > entryRoom || len(Image()) > MaxImage-entryRoom {
			t.Fatalf("%s: %d bytes of code, room for %d; the image has %d", name, len(code), entryRoom, len(Image()))
		}
		img := Cover(2 * MaxImage)
		start := PutEntry(img, e)
		if start != base+MaxImage-entryRoom || !bytes.Equal(img[start-base:][:len(code)], code) {
			t.Errorf("%s: starts at %#x", name, start)
		}
		if code[regionTrap] != 0xcc || code[dataTrap] != 0xcc {
			t.Errorf("%s: % x", name, code)
		}
		if f, next := e.Fault(start + uint64(dataTrap) + 1); f != DataFault || next != program {
			t.Errorf("%s: %v, %#x", name, f, next)
		}
		if f, next := e.Fault(start + uint64(regionTrap) + 1); (f == RegionFault) != (r != nil) || r != nil && (next < start || next > start+uint64(len(code))) {
			t.Errorf("%s: %v, %#x", name, f, next)
		}
		if f, _ := e.Fault(program); f != NoFault {
			t.Errorf("%s: %v at the program", name, f)
		}
		if want := Cover(2 * MaxImage); !bytes.Equal(img[:MaxImage-entryRoom], want[:MaxImage-entryRoom]) || !bytes.Equal(img[MaxImage:], want[MaxImage:]) {
			t.Errorf("%s: the image was changed", name)
		}
	}
}

func TestVsyscallNumber(t *testing.T) {
	tests := []struct {
		rip uint64
		nr  int
		ok  bool
	}{
		{0xffffffffff600000, unix.SYS_GETTIMEOFDAY, true},
		{0xffffffffff600400, unix.SYS_TIME, true},
		{0xffffffffff600800, unix.SYS_GETCPU, true},
		{0xffffffffff600002, 0, false},
		{0xffffffffff600c00, 0, false},
		{0, 0, false},
	}
	for _, tt := range tests {
		if nr, ok := VsyscallNumber(tt.rip); nr != tt.nr || ok != tt.ok {
			t.Errorf("VsyscallNumber(%#x) = %d, %v", tt.rip, nr, ok)
		}
	}
}

// A function that leads elsewhere passes its arguments on, and the others stay.
func TestRedirect(t *testing.T) {
	img := Cover(MaxImage)
	before := bytes.Clone(img)
	Redirect(img, unix.SYS_GETTIMEOFDAY, 1, 0x181f00)
	code := stub(unix.SYS_GETTIMEOFDAY)
	at := bytes.Index(before, code[:])
	want := []byte{0xf3, 0x0f, 0x1e, 0xfa, 0xb9, 1, 0, 0, 0, 0xb8, 0x00, 0x1f, 0x18, 0, 0xff, 0xe0}
	if !bytes.Equal(img[at:at+stubSize], want) {
		t.Errorf("% x", img[at:at+stubSize])
	}
	copy(img[at:], code[:])
	if !bytes.Equal(img, before) {
		t.Error("more was changed than that function")
	}
}
