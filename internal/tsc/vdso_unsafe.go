package tsc

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clock is "mov $228, %eax; syscall; ret": clock_gettime(2) with the arguments
// that the function has. It is one word, so that another thread finds the old
// function or the new one.
const clock = 0xc3_050f_000000e4_b8

// replaceClock makes the vDSO's clock_gettime in this process the system call.
// Without a vDSO the runtime makes that anyway.
func replaceClock() error {
	auxv, err := unix.Auxv()
	if err != nil {
		return err
	}
	const ehdr = 33 // AT_SYSINFO_EHDR
	base := uintptr(0)
	for _, v := range auxv {
		if v[0] == ehdr {
			base = v[1]
		}
	}
	if base == 0 {
		return nil
	}
	at, err := clockSymbol(base)
	if err != nil {
		return err
	}
	if at%8 != 0 { // or the store would not be one
		return errors.New("tsc: the vDSO's clock_gettime is not aligned")
	}
	size, err := protect(base, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC)
	if err != nil {
		return err
	}
	if at < base+size {
		atomic.StoreUint64(*(**uint64)(unsafe.Pointer(&at)), clock)
	}
	if _, err = protect(base, unix.PROT_READ|unix.PROT_EXEC); err == nil && at >= base+size {
		err = errors.New("tsc: __vdso_clock_gettime is not in the vDSO")
	}
	return err
}

// protect changes the protection of the mapping of the vDSO at base, and tells
// its size: it cannot be split (special_mapping_split in mm/mmap.c), and no
// smaller size is taken.
func protect(base, prot uintptr) (size uintptr, err error) {
	const most = 16 // pages
	page := uintptr(unix.Getpagesize())
	for size = page; size <= most*page; size += page {
		_, _, e := unix.RawSyscall(unix.SYS_MPROTECT, base, size, prot)
		if e == 0 {
			return size, nil
		}
		if e != unix.EINVAL {
			return 0, e
		}
	}
	return 0, unix.EINVAL
}

// clockSymbol is the address of __vdso_clock_gettime in the vDSO at base. It
// reads the few words that it needs where they lie: package debug/elf takes a
// millisecond of every start.
func clockSymbol(base uintptr) (uintptr, error) {
	const (
		phoff, phnum   = 32, 56 // in Elf64_Ehdr
		phdrSize       = 56
		phOffset       = 8 // in Elf64_Phdr, behind the type
		dynamic        = 2 // PT_DYNAMIC
		strtab, symtab = 5, 6
		symSize        = 24
	)
	var strs, syms uintptr
	for i := range uintptr(load[uint16](base + phnum)) {
		ph := base + uintptr(load[uint64](base+phoff)) + phdrSize*i
		if load[uint32](ph) != dynamic {
			continue
		}
		for d := base + uintptr(load[uint64](ph+phOffset)); load[uint64](d) != 0; d += 16 {
			switch load[uint64](d) { // the addresses there are those of an object at 0
			case strtab:
				strs = base + uintptr(load[uint64](d+8))
			case symtab:
				syms = base + uintptr(load[uint64](d+8))
			}
		}
	}
	if syms == 0 || strs <= syms { // linkers put the strings behind the symbols, whose number is told elsewhere
		return 0, errors.New("tsc: the vDSO has no symbols that we know to read")
	}
	const name = "__vdso_clock_gettime\x00"
	for sym := syms; sym+symSize <= strs; sym += symSize {
		at := strs + uintptr(load[uint32](sym))
		i := 0
		for i < len(name) && load[byte](at+uintptr(i)) == name[i] {
			i++
		}
		if i == len(name) {
			return base + uintptr(load[uint64](sym+8)), nil
		}
	}
	return 0, errors.New("tsc: no __vdso_clock_gettime")
}

// load is what lies at an address that Go knows nothing of.
func load[T any](at uintptr) T { return **(**T)(unsafe.Pointer(&at)) }
