package detfs

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// page is the memory that supervisor and server share: the logical clock, which
// only the supervisor writes, the fatal error, which only the server writes, and words
// about FIFOs.
type page struct {
	clock *atomic.Int64 // offset 0: ns since 1970
	most  *atomic.Int64 // offset 8: calls that the guest may make without the supervisor
	tick  *atomic.Int64 // offset 16: ns that each of them takes
	// See fifo.go: both write fifo.
	tracer *atomic.Int32  // offset 24: a thread of the supervisor
	fifo   *atomic.Uint32 // offset 28
	flag   *atomic.Uint32 // offset 64: length of the message, 0 while all is well
	text   []byte         // offset 128
}

const pageLen = 4096

// newPage makes the shared memory; the file goes to the server.
func newPage() (*page, *os.File, error) {
	fd, err := unix.MemfdCreate("dettrace-clock", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("detfs: memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "clock")
	if err := file.Truncate(pageLen); err != nil {
		return nil, nil, fmt.Errorf("detfs: clock page: %w", err)
	}
	p, err := mapPage(file)
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return p, file, nil
}

// fail publishes an error: text first, then its length.
func (p *page) fail(err error) {
	n := copy(p.text, err.Error())
	p.flag.Store(uint32(n))
}

// failure gives the published error's text, "" while there is none.
func (p *page) failure() string {
	n := p.flag.Load()
	if n == 0 {
		return ""
	}
	return string(p.text[:min(int(n), len(p.text))])
}
