package kernel

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// sigState is what proc_pid_status(5) says of a thread's signals.
type sigState struct {
	pending, blocked, ignored, caught uint64
}

// parseSigState reads the text of that file.
func parseSigState(b []byte) sigState {
	return sigState{
		pending: hexLine(b, "SigPnd:\t") | hexLine(b, "ShdPnd:\t"),
		blocked: hexLine(b, "SigBlk:\t"),
		ignored: hexLine(b, "SigIgn:\t"),
		caught:  hexLine(b, "SigCgt:\t"),
	}
}

func readSigState(tid int) (sigState, bool) {
	b, err := readStatus(tid)
	if err != nil {
		return sigState{}, false
	}
	return parseSigState(b), true
}

// sigState is t's. A parent is asked each time that a child of its ends, so the file
// stays open, and is read at once: the kernel writes it as a whole, and less than
// was asked for is its end.
func (t *Task) sigState() (sigState, bool) {
	if t.status == 0 {
		fd, err := openProc("/proc/"+strconv.Itoa(t.tid)+"/status", unix.O_RDONLY)
		if err != nil {
			return sigState{}, false
		}
		t.status = 1 + fd
	}
	var room [2048]byte
	b := room[:]
	for {
		n, err := unix.Pread(t.status-1, b, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return sigState{}, false
		case n == len(b):
			b = make([]byte, 4*len(b)) // many groups
		default:
			return parseSigState(b[:n]), true
		}
	}
}

// closeStatus ends what sigState has opened.
func (t *Task) closeStatus() {
	if t.status != 0 {
		_ = unix.Close(t.status - 1) // only read
		t.status = 0
	}
}

func hexLine(b []byte, key string) uint64 {
	i := indexLine(b, key)
	if i < 0 {
		return 0
	}
	b = b[i+len(key):]
	n := 0
	for n < len(b) && b[n] != '\n' {
		n++
	}
	v, _ := strconv.ParseUint(string(b[:n]), 16, 64)
	return v
}
