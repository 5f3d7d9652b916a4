package initproc

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"
)

func msg(kind byte, step uint32, result int64) []byte {
	b := make([]byte, MessageLen)
	b[0] = kind
	binary.LittleEndian.PutUint32(b[4:], step)
	binary.LittleEndian.PutUint64(b[8:], uint64(result))
	return b
}

func TestParseMessage(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		kind byte
		err  string
		no   syscall.Errno
	}{
		{msg(KindGuest, 0, 0), KindGuest, "", 0},
		{msg(KindLastPid, 0, 3), KindLastPid, "", 0},
		{msg(KindLastPid, 0, -1), KindLastPid, "init: write ns_last_pid: operation not permitted", syscall.EPERM},
		{msg(KindFailed, 3, -11), KindFailed, "init: fork pid 2: resource temporarily unavailable", syscall.EAGAIN},
		{msg(KindFailed, 3, 9), KindFailed, "init: fork pid 2: unexpected result 9", 0},
		{msg(KindFailed, 99, -1), KindFailed, "init: step 99: operation not permitted", syscall.EPERM},
		{nil, 0, "init: message of 0 bytes, want 16", 0},
	} {
		kind, err := ParseMessage(c.in)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if kind != c.kind || got != c.err || c.no != 0 && !errors.Is(err, c.no) {
			t.Errorf("%v: %c, %q", c.in, kind, got)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add(msg(KindFailed, 3, -11))
	f.Add(msg(KindGuest, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ParseMessage(b); len(b) != MessageLen && err == nil {
			t.Error("a message of the wrong length was accepted")
		}
	})
}
