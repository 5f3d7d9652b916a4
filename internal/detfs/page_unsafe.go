package detfs

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapPage maps the shared page. It is never unmapped: a late SetNow or Err
// must not fault, and a run leaves one page behind at most.
func mapPage(file *os.File) (*page, error) {
	mem, err := unix.Mmap(int(file.Fd()), 0, pageLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("detfs: map clock page: %w", err)
	}
	return &page{
		clock:  (*atomic.Int64)(unsafe.Pointer(&mem[0])),
		most:   (*atomic.Int64)(unsafe.Pointer(&mem[8])),
		tick:   (*atomic.Int64)(unsafe.Pointer(&mem[16])),
		tracer: (*atomic.Int32)(unsafe.Pointer(&mem[24])),
		fifo:   (*atomic.Uint32)(unsafe.Pointer(&mem[28])),
		flag:   (*atomic.Uint32)(unsafe.Pointer(&mem[64])),
		text:   mem[128:],
	}, nil
}

// mapWord maps the eight bytes at a multiple of 8 in file. Whoever can cut the file
// off can make a load of them fault (package fault).
func mapWord(file *os.File, at int64) (*atomic.Uint64, error) {
	if at < 0 || at%8 != 0 {
		return nil, fmt.Errorf("detfs: map a word at %d: %w", at, unix.EINVAL)
	}
	mem, err := unix.Mmap(int(file.Fd()), at&^(pageLen-1), pageLen, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("detfs: map a word: %w", err)
	}
	return (*atomic.Uint64)(unsafe.Pointer(&mem[at%pageLen])), nil
}
