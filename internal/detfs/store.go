package detfs

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	pageSize  = 4096
	maxOrder  = 12                   // largest chunk: 16 MiB
	bigOrder  = 8                    // chunks from 1 MiB can give their space back to the host
	maxChunk  = pageSize << maxOrder // bytes
	growLimit = 4 << 20              // most that is reserved ahead of a growing file
	keepLimit = 32 << 20             // of space that free big chunks keep
	memOrder  = 4                    // chunks up to 64 KiB are in memory
	memSize   = 8 << 20              // while there is room in so many bytes
)

// store holds file data of the upper layer in one unlinked sparse file, in
// chunks of 4 KiB << order. Free chunks are kept per order; their content is
// garbage, so users zero what they expose. Offsets are never merged back:
// the file is sparse, so unused offsets cost nothing.
//
// The first offsets are in memory: builds write many small files, which are soon gone,
// and a pwrite(2) of 4 KiB costs more than all else that we do for a WRITE.
type store struct {
	mem     []byte
	memEnd  int64
	memFree [memOrder + 1][]int64

	file *os.File
	fd   int
	end  int64
	free [maxOrder + 1][]int64 // big ones without space come first
	full [maxOrder + 1]int     // how many big ones, at the end of free, keep their space
	kept int64                 // bytes of those
}

// newStore makes the store in dir ("" = os.TempDir). The file has no name
// from the start where the file system can do that.
func newStore(dir string) (*store, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC|unix.O_EXCL, 0o600)
	if err == nil {
		return storeIn(os.NewFile(uintptr(fd), dir), fd), nil
	}
	file, err := os.CreateTemp(dir, "dettrace-*.data")
	if err != nil {
		return nil, fmt.Errorf("detfs: state directory: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("detfs: state directory: %w", err)
	}
	return storeIn(file, int(file.Fd())), nil
}

func storeIn(file *os.File, fd int) *store {
	// Without memory all is in the file.
	mem, _ := unix.Mmap(-1, 0, memSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	return &store{file: file, fd: fd, mem: mem, end: int64(len(mem))}
}

func (s *store) close() error {
	if s.mem != nil {
		_ = unix.Munmap(s.mem)
		s.mem = nil
	}
	return s.file.Close()
}

// orderFor is the smallest order whose chunk has n bytes.
func orderFor(n int64) int {
	pages := uint64(n+pageSize-1) / pageSize
	return min(bits.Len64(pages-1), maxOrder)
}

// alloc gives a chunk of the order; its content is garbage.
func (s *store) alloc(order int) int64 {
	if order <= memOrder {
		if l := s.memFree[order]; len(l) > 0 {
			s.memFree[order] = l[:len(l)-1]
			return l[len(l)-1]
		}
		if off := s.memEnd; off+pageSize<<order <= int64(len(s.mem)) {
			s.memEnd += pageSize << order
			return off
		}
	}
	if l := s.free[order]; len(l) > 0 {
		off := l[len(l)-1]
		s.free[order] = l[:len(l)-1]
		if s.full[order] > 0 {
			s.full[order]--
			s.kept -= pageSize << order
		}
		return off
	}
	off := s.end
	s.end += pageSize << order
	return off
}

// release takes a chunk back. Programs overwrite big files again and again, and a chunk
// that keeps its space is written faster than one that has to get it anew: a
// few keep it.
func (s *store) release(off int64, order int) {
	if off < int64(len(s.mem)) {
		s.memFree[order] = append(s.memFree[order], off)
		return
	}
	if order < bigOrder {
		s.free[order] = append(s.free[order], off)
		return
	}
	if s.kept+pageSize<<order <= keepLimit {
		s.free[order] = append(s.free[order], off)
		s.full[order]++
		s.kept += pageSize << order
		return
	}
	// Only to save space on the host; a file system that cannot do it keeps the
	// blocks until they are used again.
	_ = unix.Fallocate(s.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, pageSize<<order)
	s.free[order] = slices.Insert(s.free[order], len(s.free[order])-s.full[order], off)
}

// read fills b; what was never written reads as zeros.
func (s *store) read(b []byte, off int64) error {
	if off < int64(len(s.mem)) {
		copy(b, s.mem[off:])
		return nil
	}
	for len(b) > 0 {
		n, err := syscall.Pread(s.fd, b, off)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read upper data: %w", err)
		case n == 0: // beyond the end of the store
			clear(b)
			return nil
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

func (s *store) write(b []byte, off int64) error {
	if off < int64(len(s.mem)) {
		copy(s.mem[off:], b)
		return nil
	}
	for len(b) > 0 {
		n, err := syscall.Pwrite(s.fd, b, off)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("write upper data: %w", err)
		case n == 0:
			return fmt.Errorf("write upper data: %w", io.ErrShortWrite)
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// zero makes a range read as zeros.
func (s *store) zero(off, n int64) error {
	if off < int64(len(s.mem)) {
		clear(s.mem[off : off+n])
		return nil
	}
	if n >= 1<<20 && unix.Fallocate(s.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n) == nil {
		return nil
	}
	var z [16 << 10]byte
	for n > 0 {
		k := min(n, int64(len(z)))
		if err := s.write(z[:k], off); err != nil {
			return err
		}
		off, n = off+k, n-k
	}
	return nil
}
