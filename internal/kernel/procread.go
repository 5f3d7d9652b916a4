package kernel

import (
	"errors"

	"golang.org/x/sys/unix"
)

// readProc reads a file of the host's procfs, as os.ReadFile does, but without
// the six system calls by which package os finds out that it cannot be polled.
func readProc(path string) ([]byte, error) {
	fd, err := openProc(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 2048)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return b, err
		case n == 0:
			return b, nil
		}
		b = b[:len(b)+n]
	}
}

func openProc(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// memory is an open /proc/pid/mem: writes through it reach read-only text too.
type memory struct{ fd int }

// WriteAt implements io.WriterAt.
func (m *memory) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		k, err := unix.Pwrite(m.fd, p[n:], off+int64(n))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, err
		}
		if k == 0 {
			return n, unix.EIO // the process is gone
		}
		n += k
	}
	return n, nil
}

// Close ends it.
func (m *memory) Close() { unix.Close(m.fd) }
