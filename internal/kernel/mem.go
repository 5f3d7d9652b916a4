package kernel

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// read copies guest memory; false means EFAULT.
func (t *Task) read(addr uint64, p []byte) bool {
	n, err := ptrace.ReadMem(t.tid, addr, p)
	return err == nil && n == len(p)
}

// write copies to guest memory; false means EFAULT.
func (t *Task) write(addr uint64, p []byte) bool {
	n, err := ptrace.WriteMem(t.tid, addr, p)
	return err == nil && n == len(p)
}

// scrub takes out what a call that failed left at addr of a struct of size
// bytes: where only its end could not be written the kernel has copied the
// beginning, with the host's values. It becomes zeros.
func (t *Task) scrub(addr uint64, size int) {
	if t.result() != -int64(unix.EFAULT) {
		return
	}
	b := make([]byte, size)
	if n, _ := ptrace.ReadMem(t.tid, addr, b); n == size && t.write(addr, b) {
		return // all of it could be written: the fault was elsewhere
	}
	clear(b)
	t.write(addr, b)
}

func (t *Task) readU64(addr uint64) (uint64, bool) {
	var b [8]byte
	ok := t.read(addr, b[:])
	return binary.LittleEndian.Uint64(b[:]), ok
}

func (t *Task) readU32(addr uint64) (uint32, bool) {
	var b [4]byte
	ok := t.read(addr, b[:])
	return binary.LittleEndian.Uint32(b[:]), ok
}

func (t *Task) writeU64(addr uint64, v ...uint64) bool {
	b := make([]byte, 0, 64)
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return t.write(addr, b)
}

func (t *Task) writeU32(addr uint64, v ...uint32) bool {
	b := make([]byte, 0, 64)
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return t.write(addr, b)
}

// str reads a NUL-terminated string of at most PATH_MAX bytes.
func (t *Task) str(addr uint64) (string, unix.Errno) {
	var buf [4096]byte
	got := 0
	for got < len(buf) {
		// Up to the end of the page: the next one may not be mapped.
		want := int(4096 - (addr+uint64(got))&4095)
		want = min(want, len(buf)-got, 256)
		n, err := ptrace.ReadMem(t.tid, addr+uint64(got), buf[got:got+want])
		if err != nil || n == 0 {
			return "", unix.EFAULT
		}
		if i := bytes.IndexByte(buf[got:got+n], 0); i >= 0 {
			return string(buf[:got+i]), 0
		}
		got += n
	}
	return "", unix.ENAMETOOLONG
}

// timespec reads a struct timespec as ns; ok is false on EFAULT, and valid is
// false when the kernel would say EINVAL.
func (t *Task) timespec(addr uint64) (ns int64, valid, ok bool) {
	var b [16]byte
	if !t.read(addr, b[:]) {
		return 0, false, false
	}
	sec := int64(binary.LittleEndian.Uint64(b[:]))
	nsec := int64(binary.LittleEndian.Uint64(b[8:]))
	if sec < 0 || nsec < 0 || nsec >= 1e9 {
		return 0, false, true
	}
	return satAdd(satMul(sec, 1e9), nsec), true, true
}

const maxNS = 1<<63 - 1

func satMul(a, b int64) int64 {
	if a > maxNS/b {
		return maxNS
	}
	return a * b
}

func satAdd(a, b int64) int64 {
	if a > maxNS-b {
		return maxNS
	}
	return a + b
}

// iov is one struct iovec.
type iov struct{ base, len uint64 }

// iovecs reads an array of struct iovec (readv(2)); errno as the kernel gives it.
func (t *Task) iovecs(addr uint64, n int) ([]iov, unix.Errno) {
	if n < 0 || n > 1024 {
		return nil, unix.EINVAL
	}
	b := make([]byte, 16*n)
	if n > 0 && !t.read(addr, b) {
		return nil, unix.EFAULT
	}
	v := make([]iov, n)
	var total uint64
	for i := range v {
		v[i] = iov{binary.LittleEndian.Uint64(b[16*i:]), binary.LittleEndian.Uint64(b[16*i+8:])}
		total += v[i].len
		if int64(v[i].len) < 0 || int64(total) < 0 {
			return nil, unix.EINVAL
		}
	}
	return v, 0
}

// scatter writes p into the buffers and returns how much fitted.
func (t *Task) scatter(v []iov, p []byte) (int, bool) {
	done := 0
	for _, x := range v {
		if len(p) == 0 {
			break
		}
		n := int(min(x.len, uint64(len(p))))
		if n == 0 {
			continue
		}
		if !t.write(x.base, p[:n]) {
			return done, done > 0
		}
		p = p[n:]
		done += n
	}
	return done, true
}
