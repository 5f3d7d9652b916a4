package detfs

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/fuse"
	"dettrace/internal/ptrace"
)

// Opening a FIFO sleeps in the kernel until its other end is opened. The
// supervisor knows of those that the guest makes; that a layer read as it is
// asked for holds one is found out in the middle of a call, maybe the one that opens
// it. So the answer to the look-up waits until the tracing thread has noted it and
// interrupted the thread that asked: no call that looks names up can tell, but
// an open of the FIFO comes back at once (ERESTARTSYS) and is made again.

// States of page.fifo.
const (
	fifoNone  = iota
	fifoMet   // a look-up waits for fifoKnown
	fifoKnown // the supervisor reckons with FIFOs
)

// fifoPatience is how many ms a look-up waits for the supervisor, which is
// listening whenever a thread of the guest runs.
const fifoPatience = 20_000

// errFifo ends a run whose supervisor did not listen.
var errFifo = errors.New("detfs: nobody reckons with a FIFO of the image")

// metFifo lets the supervisor know of the first FIFO, before the kernel does.
func (s *server) metFifo() syscall.Errno {
	p := s.page
	tid := int(p.tracer.Load())
	if tid == 0 || !p.fifo.CompareAndSwap(fifoNone, fifoMet) {
		return 0
	}
	// A nudge that comes too early is lost, so there are several.
	for range fifoPatience {
		ptrace.NudgeProcess(unix.Getppid(), tid)
		_, _ = unix.Poll(nil, 1) // only passes time
		if p.fifo.Load() == fifoKnown {
			return 0
		}
	}
	s.f.fatal(errFifo)
	return syscall.EIO
}

// lookedUp is called with what a look-up found, before the kernel gets it.
func (f *fsys) lookedUp(n *node, e *fuse.Entry) syscall.Errno {
	if n.mode&syscall.S_IFMT == syscall.S_IFIFO && f.metFifo != nil {
		if errno := f.metFifo(); errno != 0 {
			return errno
		}
	}
	f.entry(n, e)
	return 0
}

// TellFifo asks for FifoMet on thread tid of this process, which is nudged
// (package ptrace) until it calls FifoKnown. It must be one that waits for the
// guest whenever a thread of that runs. 0: nobody is asked.
func (c *Client) TellFifo(tid int) { c.page.tracer.Store(int32(tid)) }

// FifoMet reports that the guest is looking up the first FIFO, and waits.
func (c *Client) FifoMet() bool { return c.page.fifo.Load() == fifoMet }

// FifoKnown lets the guest go on, and no look-up wait from now on.
func (c *Client) FifoKnown() { c.page.fifo.Store(fifoKnown) }
