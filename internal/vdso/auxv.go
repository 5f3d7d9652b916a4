package vdso

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of auxiliary vector entries (linux/auxvec.h, asm/auxvec.h).
const (
	atNull        = 0
	atPhdr        = 3
	atBase        = 7
	atIgnore      = 1
	atHwcap       = 16
	atClktck      = 17
	atRandom      = 25
	atHwcap2      = 26
	atExecfn      = 31
	atSysinfoEHDR = 33
	atMinsigstksz = 51
)

const (
	// clockTicks is USER_HZ, which times(2) and /proc count in.
	clockTicks = 100

	// minSigStack covers the signal frame of every CPU known today, those with
	// AMX (about 12 KB) included.
	minSigStack = 16 << 10
)

// Limits of what is believed of a stack: more is not a process image.
const maxAuxEntries = 128

var (
	// ErrShort means that the vector does not end within the given bytes: read
	// more of the stack.
	ErrShort = errors.New("stack ends before the auxiliary vector does")

	// ErrStack means that the bytes are not the start of a process's stack.
	ErrStack = errors.New("not an initial stack")
)

// AuxvOpts are the values to put in.
type AuxvOpts struct {
	// Random replaces the 16 bytes that AT_RANDOM points to; nil leaves them
	// to the caller, who finds the place in Auxv.Random.
	Random *[16]byte
	// HWCAP is the virtual CPU's AT_HWCAP.
	HWCAP uint64
}

// Patch is one 64-bit word to write into the guest.
type Patch struct {
	Addr, Value uint64
}

// Auxv is what was found and what must be written. A place is 0 where the
// vector has no such entry.
type Auxv struct {
	Patches     []Patch
	SysinfoEHDR uint64 // address of the vDSO
	Random      uint64 // address of the 16 random bytes
	ExecFn      uint64 // address of the path given to execve(2)
	Phdr        uint64 // address of the program's headers
	Base        uint64 // address of the dynamic linker
}

// FixAuxv reads the initial stack of a process that has just executed: stack
// holds the bytes from its stack pointer sp upward (argc, argv, envp, auxv;
// System V ABI, figure 3.9). What depends on the host becomes a constant:
//
//   - AT_HWCAP: the virtual CPU's; AT_HWCAP2: 0, so FSGSBASE is not offered;
//     arch_prctl(2) does the same.
//   - AT_MINSIGSTKSZ: 16 KiB, which is never less than the kernel's figure;
//     above that, the kernel's rounded up to pages (no known CPU).
//   - AT_CLKTCK: 100.
//   - AT_RSEQ_*, AT_HWCAP3, AT_HWCAP4 and every type not known here:
//     AT_IGNORE, so a newer kernel shows nothing new.
//
// Pointers, ids, page size and AT_PLATFORM ("x86_64" on every kernel) stay;
// AT_SYSINFO_EHDR stays because the vDSO is replaced in place. The kernel's own
// copy, which /proc/PID/auxv shows, is not reached from here.
//
// The bytes are the guest's and not trusted: any content gives a result or an
// error wrapping ErrShort or ErrStack.
func FixAuxv(stack []byte, sp uint64, opts AuxvOpts) (Auxv, error) {
	w := words{stack, sp}
	at, err := auxvStart(w)
	if err != nil {
		return Auxv{}, fmt.Errorf("auxiliary vector at %#x: %w", sp, err)
	}
	var a Auxv
	for n := 0; ; n++ {
		typ, ok1 := w.at(at)
		val, ok2 := w.at(at + 1)
		if !ok1 || !ok2 {
			return Auxv{}, fmt.Errorf("auxiliary vector at %#x: %w", sp, ErrShort)
		}
		if typ == atNull {
			break
		}
		if n == maxAuxEntries {
			return Auxv{}, fmt.Errorf("auxiliary vector at %#x: more than %d entries: %w", sp, n, ErrStack)
		}
		switch typ {
		case atSysinfoEHDR:
			a.SysinfoEHDR = val
		case atRandom:
			a.Random = val
		case atExecfn:
			a.ExecFn = val
		case atPhdr:
			a.Phdr = val
		case atBase:
			a.Base = val
		}
		newTyp, newVal := fixEntry(typ, val, opts.HWCAP)
		if newTyp != typ {
			a.Patches = append(a.Patches, Patch{w.addr(at), newTyp})
		}
		if newVal != val {
			a.Patches = append(a.Patches, Patch{w.addr(at + 1), newVal})
		}
		at += 2
	}
	if opts.Random != nil && a.Random != 0 {
		a.Patches = append(a.Patches,
			Patch{a.Random, binary.LittleEndian.Uint64(opts.Random[:8])},
			Patch{a.Random + 8, binary.LittleEndian.Uint64(opts.Random[8:])})
	}
	return a, nil
}

// fixEntry is the policy for one entry.
func fixEntry(typ, val, hwcap uint64) (newTyp, newVal uint64) {
	switch typ {
	case atHwcap:
		return typ, hwcap
	case atHwcap2:
		return typ, 0
	case atClktck:
		return typ, clockTicks
	case atMinsigstksz:
		if val <= minSigStack || val > 1<<30 { // a figure beyond reason is no figure
			return typ, minSigStack
		}
		return typ, (val + 4095) &^ 4095
	case atIgnore,
		atPhdr, 4, 5, 6, atBase, 8, 9, // PHENT, PHNUM, PAGESZ; FLAGS, ENTRY
		11, 12, 13, 14, // AT_UID, EUID, GID, EGID
		15, 23, // AT_PLATFORM, AT_SECURE
		atRandom, atExecfn, atSysinfoEHDR:
		return typ, val
	}
	return atIgnore, 0
}

// auxvStart is the index of the first word after argc, argv and envp.
func auxvStart(w words) (int, error) {
	argc, ok := w.at(0)
	if !ok {
		return 0, ErrShort
	}
	if argc > 1<<23 { // more pointers than MAX_ARG_STRINGS could ever need
		return 0, fmt.Errorf("%w: argc %d", ErrStack, argc)
	}
	end, ok := w.at(1 + int(argc))
	if !ok {
		return 0, ErrShort
	}
	if end != 0 {
		return 0, fmt.Errorf("%w: argv does not end", ErrStack)
	}
	for i := 2 + int(argc); ; i++ {
		v, ok := w.at(i)
		if !ok {
			return 0, ErrShort
		}
		if v == 0 {
			return i + 1, nil
		}
	}
}

// words reads bounded 64-bit words of a stack.
type words struct {
	b  []byte
	sp uint64
}

func (w words) at(i int) (uint64, bool) {
	if i < 0 || i >= len(w.b)/8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(w.b[8*i:]), true
}

func (w words) addr(i int) uint64 { return w.sp + 8*uint64(i) }
