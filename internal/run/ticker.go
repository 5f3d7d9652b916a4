package run

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ticker is a timerfd(2) that becomes readable again and again.
type ticker struct {
	*os.File
	conn syscall.RawConn
}

// newTicker starts one that ticks every d.
func newTicker(d time.Duration) (*ticker, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	t := &ticker{File: os.NewFile(uintptr(fd), "timerfd")}
	if t.conn, err = t.SyscallConn(); err == nil {
		err = t.set(d)
	}
	if err != nil {
		_ = t.Close() // only read: nothing can be lost
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	return t, nil
}

// set makes it tick every d, from now on. It never waits, and is safe for any
// goroutine, also beside and after Close.
func (t *ticker) set(d time.Duration) (err error) {
	every := unix.NsecToTimespec(d.Nanoseconds())
	e := t.conn.Control(func(fd uintptr) {
		err = unix.TimerfdSettime(int(fd), 0, &unix.ItimerSpec{Interval: every, Value: every}, nil)
	})
	if err == nil {
		err = e
	}
	return err
}
