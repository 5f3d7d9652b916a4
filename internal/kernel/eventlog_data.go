package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Calls that move data get more into their line of the log: what the
// descriptor is, and a digest of the data, so that two logs part where the
// first other byte was read or written.

// dataCall says where a call has its data: plain (buffer in the second
// argument), in an iovec, or nowhere.
type dataCall uint8

const (
	noData dataCall = iota
	flatData
	vectorData
	randomData // getrandom(2): the first argument is the buffer
)

func dataOf(nr int) dataCall {
	switch nr {
	case unix.SYS_READ, unix.SYS_PREAD64, unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_SENDTO, unix.SYS_RECVFROM:
		return flatData
	case unix.SYS_READV, unix.SYS_PREADV, unix.SYS_PREADV2, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2:
		return vectorData
	case unix.SYS_GETRANDOM:
		return randomData
	}
	return noData
}

// logData gives the arguments of a data call for the log, and its digest; ok is
// false for other calls.
func (k *Kernel) logData(t *Task, result int64) (args, digest string, ok bool) {
	kind := dataOf(t.callNr)
	switch kind {
	case noData:
		return "", "", false
	case randomData:
		args = hex(t.arg(0)) + ", " + hex(t.arg(1)) + ", " + hex(t.arg(2))
	default:
		args = itoa(t.intArg(0)) + "<" + fdText(t.tid, t.intArg(0)) + ">, " + hex(t.arg(1)) + ", " + hex(t.arg(2))
		if t.positional() {
			args += ", " + strconv.FormatInt(int64(t.arg(3)), 10)
		}
	}
	if result <= 0 || k.cfg.NoDigests {
		return args, "", true
	}
	h := sha256.New()
	h.Write([]byte("dettrace event log\x00")) // not the digest of the data alone: it may be a password
	at, n := t.arg(1), uint64(result)
	if kind == randomData {
		at = t.arg(0)
	}
	whole := true
	add := func(p []byte) { h.Write(p) }
	if kind == vectorData {
		whole = t.eachVector(at, int(min(t.arg(2), 1024)), n, add)
	} else {
		whole = t.eachBlock(at, n, add)
	}
	if !whole {
		return args, "?", true
	}
	return args, strconv.FormatUint(binary.BigEndian.Uint64(h.Sum(nil)), 16), true
}

// eachBlock hands n bytes of guest memory to use; false means that not all can
// be read.
func (t *Task) eachBlock(addr, n uint64, use func([]byte)) bool {
	buf := make([]byte, min(n, 256<<10))
	for n > 0 {
		p := buf[:min(n, uint64(len(buf)))]
		if !t.read(addr, p) {
			return false
		}
		use(p)
		addr, n = addr+uint64(len(p)), n-uint64(len(p))
	}
	return true
}

// eachVector does it for the first n bytes of an iovec with count parts.
func (t *Task) eachVector(addr uint64, count int, n uint64, use func([]byte)) bool {
	for i := 0; i < count && n > 0; i++ {
		base, ok1 := t.readU64(addr + 16*uint64(i))
		size, ok2 := t.readU64(addr + 16*uint64(i) + 8)
		size = min(size, n)
		if !ok1 || !ok2 || !t.eachBlock(base, size, use) {
			return false
		}
		n -= size
	}
	return true
}

// fdText is what a descriptor refers to, without numbers of the host: a path of
// the guest, "pipe", "socket".
func fdText(tid, fd int) string {
	s, err := os.Readlink("/proc/" + strconv.Itoa(tid) + "/fd/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	if !strings.HasPrefix(s, "/") {
		s, _, _ = strings.Cut(s, ":[")
	}
	return s
}
