package fuse

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// What is read from a file of the host need not be copied into our memory and out of it
// again: its pages go through a pipe, and are copied once, by the kernel
// (splice(2)). A pipe holds so many pages, the reply's header one more.

const (
	// spliceMin is from how many bytes on that is cheaper than a copy.
	spliceMin = 32 << 10
	// pipeRoom is what pipes can hold by default whoever makes them
	// (/proc/sys/fs/pipe-max-size).
	pipeRoom = 1 << 20
)

// pipe is that of a connection.
type pipe struct {
	r, w int
	room int // in bytes, 0 if there is none
	lost bool
}

// open makes the pipe if there is none. It has too little room where the user has many.
func (p *pipe) open() {
	if p.room > 0 || p.lost {
		return
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		p.lost = true
		return
	}
	p.r, p.w = fds[0], fds[1]
	_, _ = unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeRoom)
	p.room, _ = unix.FcntlInt(uintptr(p.w), unix.F_GETPIPE_SZ, 0)
}

// close drops the pipe with what is in it.
func (p *pipe) close() {
	if p.room > 0 {
		_, _ = unix.Close(p.r), unix.Close(p.w)
		p.room = 0
	}
}

// load puts into the pipe a reply that ends with n bytes of file fd from off on. False
// says that it has to be made otherwise.
func (p *pipe) load(r *Request, fd int, off int64, n int) bool {
	const ends = 3 * 4096 // the header, and pages of which only a part is taken
	if p.open(); n > p.room-ends {
		return false
	}
	var head [outHeaderSize]byte
	putHeader(head[:], outHeaderSize+n, 0, r.Unique)
	if k, err := unix.Write(p.w, head[:]); err != nil || k != len(head) {
		p.close()
		return false
	}
	for n > 0 {
		k, err := unix.Splice(fd, &off, p.w, nil, n, unix.SPLICE_F_NONBLOCK)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || k <= 0 { // the file has become shorter, or cannot do that
			p.close()
			return false
		}
		n -= int(k)
	}
	return true
}

// send sends n bytes of the pipe to to, which takes all of them as one message.
func (p *pipe) send(to, n int) error {
	k, err := rawSplice(p.r, to, n)
	switch {
	case err != nil:
		p.close()
		return err
	case k != n:
		p.close()
		return fmt.Errorf("%d of %d bytes: %w", k, n, syscall.EIO)
	}
	return nil
}
