package tsc

import (
	"debug/elf"
	"errors"
	"io"
	"os"
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

// clockSymbol is the address of __vdso_clock_gettime in the vDSO at base.
func clockSymbol(base uintptr) (uintptr, error) {
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return 0, err
	}
	defer mem.Close()
	f, err := elf.NewFile(io.NewSectionReader(mem, int64(base), 1<<20)) // reads end where the mapping does
	if err != nil {
		return 0, err
	}
	syms, err := f.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, s := range syms {
		if s.Name == "__vdso_clock_gettime" {
			return base + uintptr(s.Value), nil
		}
	}
	return 0, errors.New("tsc: no __vdso_clock_gettime")
}
