package fuse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"dettrace/internal/stopwatch"
)

// Conn is one FUSE connection. Loop owns the descriptor's reading side;
// InvalAttr may be called from any goroutine (a write to /dev/fuse is one
// message).
type Conn struct {
	fd    int
	fs    FS
	lock  sync.Locker // held while a request is handled
	in    []byte
	out   []byte
	r     Request // these four are scratch: passed to the FS, they would escape
	e     Entry
	set   SetAttrIn
	dir   DirList
	pipe  pipe
	piped int // bytes of a reply in the pipe
	spans [opMax + 1]stopwatch.Span
	minor uint32

	op         uint32 // of the last request
	start      int64  // of the last message
	began, end int64  // of the last request: added when the next one comes

	// Watch, if on, measures how long requests take.
	Watch stopwatch.Watch
}

// NewConn makes a connection over fd, which stays the caller's. lock is held
// during every FS call, so that others may look at the file system between two
// requests.
func NewConn(fd int, fs FS, lock sync.Locker) *Conn {
	return &Conn{
		fd: fd, fs: fs, lock: lock,
		// One request is at most a WRITE; the kernel wants room for
		// max_write plus its headers (fs/fuse/dev.c, fuse_dev_do_read).
		in:  make([]byte, MaxWrite+4096),
		out: make([]byte, outHeaderSize+MaxWrite+4096),
	}
}

// Loop serves until the file system is unmounted or the connection aborted
// (nil), or until the descriptor fails.
func (c *Conn) Loop() error {
	if err := syscall.SetNonblock(c.fd, true); err != nil {
		return fmt.Errorf("fuse: %w", err)
	}
	defer c.pipe.close()
	waits := 0 // since the last request
	for {
		// On one CPU the caller goes on when it has its reply, and comes with the
		// next request before we do.
		n, err := rawRead(c.fd, c.in)
		switch {
		case err == nil:
		case errors.Is(err, syscall.EAGAIN):
			err := error(nil)
			if waits++; waits <= patienceTimes {
				err = await(c.fd)
			} else {
				err = awaitLong(c.fd)
			}
			if err != nil {
				return fmt.Errorf("fuse: poll: %w", err)
			}
			continue
		case errors.Is(err, syscall.ENODEV):
			return nil
		case errors.Is(err, syscall.EINTR),
			errors.Is(err, syscall.ENOENT): // the request was interrupted before it was read
			continue
		default:
			return fmt.Errorf("fuse: read: %w", err)
		}
		if n == 0 {
			return nil
		}
		waits = 0
		c.start = c.Watch.Now()
		reply, err := c.handle(c.in[:n])
		if err != nil {
			return err
		}
		// Not with the reply: on one CPU the caller goes on in the middle of that write.
		c.end = c.Watch.Now()
		switch err := c.reply(reply); {
		case err == nil, errors.Is(err, syscall.ENOENT): // the caller died meanwhile
		case errors.Is(err, syscall.ENODEV):
			return nil
		default:
			return fmt.Errorf("fuse: reply: %w", err)
		}
	}
}

// reply sends what handle has returned.
func (c *Conn) reply(reply []byte) error {
	if n := c.piped; n > 0 {
		c.piped = 0
		return c.pipe.send(c.fd, n)
	}
	if reply == nil {
		return nil
	}
	return rawWrite(c.fd, reply)
}

// handle answers one message. The reply lives in c.out, or in the pipe, until the next call.
func (c *Conn) handle(msg []byte) ([]byte, error) {
	r := &c.r
	if !r.parse(msg) {
		return nil, fmt.Errorf("fuse: malformed request of %d bytes", len(msg))
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.spans[c.op].NS += c.end - c.began
	c.op, c.began = min(r.Op, opMax), c.start
	c.spans[c.op].Count++
	body := c.out[outHeaderSize:]
	var n int
	var errno syscall.Errno
	if r.Op == opInit {
		n, errno = c.init(r, body)
	} else {
		n, errno = c.dispatch(r, body)
	}
	if n == noReply {
		return nil, nil
	}
	if errno != 0 {
		n = 0
	}
	putHeader(c.out, outHeaderSize+n, -int32(errno), r.Unique)
	return c.out[:outHeaderSize+n], nil
}

// InvalAttr makes the kernel forget the attributes of a node. The kernel
// answers ENOENT for a node that it does not have, which is fine.
func (c *Conn) InvalAttr(node uint64) error {
	var b [outHeaderSize + 24]byte
	putHeader(b[:], len(b), notifyInvalInode, 0)
	binary.LittleEndian.PutUint64(b[16:], node)
	// A negative offset means attributes only (fuse_reverse_inval_inode).
	binary.LittleEndian.PutUint64(b[24:], ^uint64(0))
	_, err := syscall.Write(c.fd, b[:])
	if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("fuse: invalidate: %w", err)
	}
	return nil
}

// Spans returns how many requests of each kind came so far and, with Watch, how
// long they took. The caller sees to it that no request is under way.
func (c *Conn) Spans() map[string]stopwatch.Span {
	m := make(map[string]stopwatch.Span)
	for op, s := range c.spans {
		if s.Count > 0 {
			name := opName(uint32(op))
			m[name] = stopwatch.Span{Count: m[name].Count + s.Count, NS: m[name].NS + s.NS}
		}
	}
	return m
}
