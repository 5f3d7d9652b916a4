package vdso

import (
	"debug/elf"
	"encoding/binary"
)

const (
	soname  = "linux-vdso.so.1"
	version = "LINUX_2.6"

	ehdrSize = 64
	phdrSize = 56
	shdrSize = 64
	symSize  = 24

	verBase  = 1 // index of the version that names the file
	verLinux = 2 // index of LINUX_2.6
)

// Image is the shared object: position independent, one read-and-execute
// segment at offset 0, System V hash table (the one that every libc's vDSO
// parser understands), all symbols of version LINUX_2.6.
//
// Readers it must please: glibc (setup_vdso in elf/setup-vdso.h, a normal
// versioned look-up), musl (src/internal/vdso.c, walks the symbol table by the
// hash table's nchain), Go (runtime/vdso_linux.go, hash and version), gdb and
// perf (section headers, .eh_frame).
func Image() []byte {
	b := &builder{}
	b.grow(ehdrSize + 4*phdrSize)

	syms, names := symbols()
	strs := newStrtab(append([]string{soname, version}, names...))
	text := functions()

	hash := b.section(".hash", elf.SHT_HASH, elf.SHF_ALLOC, 8, 4, hashTable(names))
	// The symbols' values need the address of .text, which comes last but one:
	// reserve now, fill in then.
	dynsym := b.section(".dynsym", elf.SHT_DYNSYM, elf.SHF_ALLOC, 8, symSize, make([]byte, symSize*(len(syms)+1)))
	dynstr := b.section(".dynstr", elf.SHT_STRTAB, elf.SHF_ALLOC, 1, 0, strs.bytes)
	versym := b.section(".gnu.version", elf.SHT_GNU_VERSYM, elf.SHF_ALLOC, 2, 2, versyms(len(syms)))
	verdef := b.section(".gnu.version_d", elf.SHT_GNU_VERDEF, elf.SHF_ALLOC, 8, 0, verdefs(strs))
	dynamic := b.section(".dynamic", elf.SHT_DYNAMIC, elf.SHF_ALLOC, 8, 16, dyns([][2]uint64{
		{uint64(elf.DT_SONAME), uint64(strs.off[soname])},
		{uint64(elf.DT_HASH), b.secs[hash].Addr},
		{uint64(elf.DT_STRTAB), b.secs[dynstr].Addr},
		{uint64(elf.DT_SYMTAB), b.secs[dynsym].Addr},
		{uint64(elf.DT_STRSZ), uint64(len(strs.bytes))},
		{uint64(elf.DT_SYMENT), symSize},
		{uint64(elf.DT_VERDEF), b.secs[verdef].Addr},
		{uint64(elf.DT_VERDEFNUM), 2},
		{uint64(elf.DT_VERSYM), b.secs[versym].Addr},
		{uint64(elf.DT_NULL), 0},
	}))
	var code []byte
	for _, f := range text {
		s := stub(f.nr)
		code = append(code, s[:]...)
	}
	txt := b.section(".text", elf.SHT_PROGBITS, elf.SHF_ALLOC|elf.SHF_EXECINSTR, stubSize, 0, code)
	b.align(8)
	hdrAt := uint64(len(b.out))
	frameAt := (hdrAt + ehFrameHdrSize + 7) &^ 7
	ehHdr := b.section(".eh_frame_hdr", elf.SHT_PROGBITS, elf.SHF_ALLOC, 8, 0, ehFrameHdr(hdrAt, frameAt))
	b.section(".eh_frame", elf.SHT_PROGBITS, elf.SHF_ALLOC, 8, 0, ehFrame(frameAt, b.secs[txt].Addr, uint64(len(code))))

	for i, s := range syms {
		s.Shndx, s.Value = uint16(txt), s.Value+b.secs[txt].Addr
		copy(b.out[b.secs[dynsym].Off+uint64(symSize*(i+1)):], encode(elf.Sym64{
			Name: strs.off[names[i]], Info: s.Info, Shndx: s.Shndx, Value: s.Value, Size: s.Size,
		}))
	}
	b.secs[hash].Link = uint32(dynsym)
	b.secs[versym].Link = uint32(dynsym)
	for _, i := range []int{dynsym, verdef, dynamic} {
		b.secs[i].Link = uint32(dynstr)
	}
	b.secs[dynsym].Info = 1 // the first symbol that is not local
	b.secs[verdef].Info = 2 // number of versions
	b.secs[dynamic].Flags |= uint64(elf.SHF_WRITE)
	return b.finish(dynamic, ehHdr)
}

// symbols gives the dynamic symbols after the null one, values relative to
// .text, and their names.
func symbols() (syms []elf.Sym64, names []string) {
	for i, f := range functions() {
		for _, s := range []struct {
			name string
			bind elf.SymBind
		}{{"__vdso_" + f.name, elf.STB_GLOBAL}, {f.name, elf.STB_WEAK}} {
			syms = append(syms, elf.Sym64{
				Info:  elf.ST_INFO(s.bind, elf.STT_FUNC),
				Value: uint64(stubSize * i),
				Size:  12,
			})
			names = append(names, s.name)
		}
	}
	return syms, names
}

// hashTable is the System V hash table (gABI, chapter 5): nbucket, nchain,
// buckets, chains.
func hashTable(names []string) []byte {
	const nbucket = 7
	var buckets [nbucket]uint32
	chains := make([]uint32, len(names)+1)
	for i, n := range names {
		sym := uint32(i + 1)
		b := &buckets[sysvHash(n)%nbucket]
		chains[sym], *b = *b, sym
	}
	return encode([2]uint32{nbucket, uint32(len(chains))}, buckets, chains)
}

func sysvHash(name string) uint32 {
	var h uint32
	for i := 0; i < len(name); i++ {
		h = h<<4 + uint32(name[i])
		g := h & 0xf0000000
		h = (h ^ g>>24) &^ g
	}
	return h
}

func versyms(n int) []byte {
	v := make([]uint16, n+1)
	for i := range v[1:] {
		v[i+1] = verLinux
	}
	return encode(v)
}

// verdefs are the two Elf64_Verdef, each with its Elf64_Verdaux.
func verdefs(strs *strtab) []byte {
	type verdef struct {
		Version, Flags, Ndx, Cnt uint16
		Hash, Aux, Next          uint32
		Name, AuxNext            uint32 // Elf64_Verdaux
	}
	return encode(
		verdef{1, 1 /* VER_FLG_BASE */, verBase, 1, sysvHash(soname), 20, 28, strs.off[soname], 0},
		verdef{1, 0, verLinux, 1, sysvHash(version), 20, 0, strs.off[version], 0},
	)
}

func dyns(d [][2]uint64) []byte { return encode(d) }

// encode lays out fixed-size values one after the other, little endian.
func encode(vs ...any) []byte {
	var b []byte
	for _, v := range vs {
		var err error
		if b, err = binary.Append(b, binary.LittleEndian, v); err != nil {
			panic(err) // a type of variable size: an error of this package, not of its input
		}
	}
	return b
}
