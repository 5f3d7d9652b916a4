package console

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Live types what comes from the host's terminal when the guest waits for it or
// looks for it, and at the next event if it holds a character that sends a signal
// or stops the output.
type Live struct {
	host *Host
	fd   int // of the terminal
	bell int // eventfd
	stop int // eventfd
	done chan struct{}

	patience int // looks at a computing thread

	mu     sync.Mutex // guards the rest
	queue  []byte
	err    error
	ended  bool
	urgent atomic.Bool // a nudge may be of use
	some   atomic.Bool // there may be something for an Event
}

// patience is how many looks a thread that catches signals gets to come to an
// event by itself: at which instruction it is cannot be recorded.
const patience = 100

// NewLive makes a Live of host; Start begins to read.
func NewLive(host *Host) *Live { return &Live{host: host, fd: host.fd, bell: -1, stop: -1} }

// Start puts the terminal into raw mode and begins to read it.
func (l *Live) Start() (err error) {
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
		l.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if err := l.host.Raw(); err != nil {
		return err
	}
	l.done = make(chan struct{})
	go l.read()
	return nil
}

// Close gives the terminal its mode back, before anything else is written to
// it, and ends the reading: no byte that comes later is lost to whoever reads
// next.
func (l *Live) Close() error {
	if l.done != nil {
		_, _ = unix.Write(l.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // an eventfd takes it
		<-l.done
		l.done = nil
	}
	for _, fd := range []*int{&l.bell, &l.stop} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
	return l.host.Restore()
}

// read fills the queue until Close.
func (l *Live) read() {
	defer close(l.done)
	buf := make([]byte, 4096)
	for {
		p := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(l.stop), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, -1); err == unix.EINTR {
			continue
		} else if err != nil || p[1].Revents != 0 {
			return
		}
		n, err := unix.Read(l.fd, buf)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		l.push(buf[:max(n, 0)], err)
		if n <= 0 {
			return
		}
	}
}

func (l *Live) push(p []byte, err error) {
	l.mu.Lock()
	l.queue = append(l.queue, p...)
	if len(p) == 0 {
		l.ended = true
		if err != nil && !errors.Is(err, unix.EIO) { // EIO: it is gone
			l.err = fmt.Errorf("read of the terminal: %w", err)
		}
	}
	l.mu.Unlock()
	l.some.Store(true)
	l.urgent.Store(true)
	_, _ = unix.Write(l.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full is as good as one more
}

// At implements Input.
func (l *Live) At(p Place, q Question) (*Keys, error) {
	if p.Kind == Running {
		if !q.Nudged {
			return nil, nil // it will soon come to an event
		}
		if l.patience++; q.Caught && l.patience < patience {
			return nil, nil
		}
	}
	l.patience = 0
	var count [8]byte
	_, _ = unix.Read(l.bell, count[:]) // what it rang for is looked at now
	l.urgent.Store(false)
	looked := q.Asks >= ManyAsks || q.Asks > 0 && p.Kind == Idle
	if p.Kind == Event && !l.some.Load() && !looked {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	if len(l.queue) == 0 {
		l.some.Store(l.ended)
		if !l.ended || p.Kind == Running {
			return nil, nil
		}
		l.some.Store(false)
		l.ended = false
		return &Keys{Place: p, Hangup: true}, nil
	}
	st := q.Look()
	k := &Keys{Place: p}
	_, n := overtakes(&st.Mode, l.queue)
	prompt := n > 0 || flow(&st.Mode, l.queue[0])
	n = 0
	switch {
	case !prompt && !q.Wanted && !q.Last && !looked:
	case st.Unread || p.Kind == Running:
		k.Bytes, n = overtakes(&st.Mode, l.queue)
		k.Flush = true
	default:
		n, _ = cut(&st.Mode, l.queue)
		k.Bytes = bytes.Clone(l.queue[:n])
	}
	if n == 0 { // until somebody asks: the terminal's state is not looked at for every event
		l.some.Store(false)
		return nil, nil
	}
	l.queue = append(l.queue[:0], l.queue[n:]...)
	l.some.Store(len(l.queue) > 0 || l.ended)
	l.urgent.Store(len(l.queue) > 0)
	return k, nil
}

// Pending implements Input.
func (l *Live) Pending() bool { return l.some.Load() }

// Budget implements Input.
func (l *Live) Budget(uint64, int) int { return math.MaxInt }

// Bell implements Input.
func (l *Live) Bell() int { return l.bell }

// Urgent implements Input.
func (l *Live) Urgent() bool { return l.urgent.Load() }

// Outside implements Input.
func (l *Live) Outside() bool { return true }
