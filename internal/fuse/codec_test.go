package fuse

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"
	"syscall"
	"testing"
)

// message makes one request as the kernel would.
func message(op uint32, node uint64, body ...any) []byte {
	b := make([]byte, inHeaderSize)
	for _, x := range body {
		switch x := x.(type) {
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, x)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, x)
		case string:
			b = append(append(b, x...), 0)
		case []byte:
			b = append(b, x...)
		}
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[4:], op)
	binary.LittleEndian.PutUint64(b[8:], 77)
	binary.LittleEndian.PutUint64(b[16:], node)
	return b
}

// recorder is an FS that notes what it was asked and checks its arguments'
// invariants.
type recorder struct {
	t    testing.TB
	last string
	data []byte

	source, length int // what Source tells
}

func (f *recorder) name(op string, n []byte) {
	f.last = op + " " + string(n)
	if len(n) == 0 || len(n) > 255 || bytes.ContainsAny(n, "/\x00") {
		f.t.Errorf("%s: bad name %q reached the file system", op, n)
	}
}

func (f *recorder) Lookup(r *Request, n []byte, e *Entry) syscall.Errno {
	f.name("lookup", n)
	*e = Entry{Node: 9, Attr: Attr{Ino: 5, Mtime: -1}}
	return 0
}
func (f *recorder) Forget(node, n uint64)                              { f.last = "forget" }
func (f *recorder) GetAttr(r *Request, a *Attr) syscall.Errno          { *a = Attr{Ino: 3}; return 0 }
func (f *recorder) Readlink(r *Request, d []byte) (int, syscall.Errno) { return copy(d, "target"), 0 }
func (f *recorder) SetAttr(r *Request, in *SetAttrIn, a *Attr) syscall.Errno {
	f.last = "setattr"
	return 0
}
func (f *recorder) Mknod(r *Request, n []byte, mode, rdev uint32, e *Entry) syscall.Errno {
	f.name("mknod", n)
	return 0
}
func (f *recorder) Mkdir(r *Request, n []byte, mode uint32, e *Entry) syscall.Errno {
	f.name("mkdir", n)
	return syscall.EEXIST
}
func (f *recorder) Symlink(r *Request, n, target []byte, e *Entry) syscall.Errno {
	f.name("symlink", n)
	return 0
}
func (f *recorder) Tmpfile(r *Request, mode uint32, e *Entry) syscall.Errno { return 0 }
func (f *recorder) Link(r *Request, node uint64, n []byte, e *Entry) syscall.Errno {
	f.name("link", n)
	return 0
}
func (f *recorder) Unlink(r *Request, n []byte) syscall.Errno { f.name("unlink", n); return 0 }
func (f *recorder) Rmdir(r *Request, n []byte) syscall.Errno  { f.name("rmdir", n); return 0 }
func (f *recorder) Rename(r *Request, n []byte, d uint64, m []byte, flags uint32) syscall.Errno {
	f.name("rename", n)
	f.name("rename", m)
	return 0
}
func (f *recorder) Read(r *Request, off int64, dst []byte) (int, syscall.Errno) {
	return copy(dst, "data"), 0
}
func (f *recorder) Write(r *Request, off int64, data []byte, flags uint32) syscall.Errno {
	f.data = bytes.Clone(data)
	return 0
}
func (f *recorder) Fallocate(r *Request, off, n int64, mode uint32) syscall.Errno { return 0 }
func (f *recorder) StatFS(r *Request, s *StatFS) syscall.Errno                    { return 0 }
func (f *recorder) Opendir(r *Request) (uint64, syscall.Errno)                    { return 4, 0 }
func (f *recorder) Releasedir(fh uint64)                                          {}
func (f *recorder) Readdir(r *Request, fh, off uint64, l *DirList) syscall.Errno {
	for i := uint64(1); l.Add("entry", i, i, syscall.S_IFREG, nil); i++ {
	}
	return 0
}
func (f *recorder) Source(r *Request, off int64, n int) (int, int) { return f.source, min(n, f.length) }
func (f *recorder) Listxattr(r *Request) ([]byte, syscall.Errno)   { return []byte("user.a\x00"), 0 }
func (f *recorder) Setxattr(r *Request, n, v []byte, flags uint32) syscall.Errno {
	f.last = "setxattr"
	f.data = bytes.Clone(v)
	return 0
}
func (f *recorder) Removexattr(r *Request, n []byte) syscall.Errno { return 0 }

func TestReplies(t *testing.T) {
	fs := &recorder{t: t}
	c := NewConn(-1, fs, &sync.Mutex{})
	zero40 := make([]byte, 40)
	write := append([]byte(nil), zero40...)
	binary.LittleEndian.PutUint32(write[16:], 3)
	shortWrite := append([]byte(nil), zero40...)
	binary.LittleEndian.PutUint32(shortWrite[16:], 300)
	read := append([]byte(nil), zero40...)
	binary.LittleEndian.PutUint32(read[16:], 100)
	long := string(bytes.Repeat([]byte("n"), 256))
	for _, tc := range []struct {
		what  string
		msg   []byte
		n     int // body of the reply; -1 none
		errno syscall.Errno
	}{
		{"init", message(opInit, 0, uint32(7), uint32(45), uint32(131072), ^uint32(0), make([]byte, 48)), 64, 0},
		{"init of an old kernel", message(opInit, 0, uint32(7), uint32(12), uint32(0), uint32(0)), 0, syscall.EPROTO},
		{"lookup", message(opLookup, 1, "name"), entrySize, 0},
		{"lookup of a long name", message(opLookup, 1, long), 0, syscall.ENAMETOOLONG},
		{"lookup without an end", message(opLookup, 1, []byte("name")), 0, syscall.EINVAL},
		{"getattr", message(opGetattr, 1, make([]byte, 16)), 104, 0},
		{"short setattr", message(opSetattr, 1, make([]byte, 87)), 0, syscall.EINVAL},
		{"mkdir", message(opMkdir, 1, uint32(0), uint32(0), "d"), 0, syscall.EEXIST},
		{"mknod", message(opMknod, 1, make([]byte, 16), "f"), entrySize, 0},
		{"symlink", message(opSymlink, 1, "l", "to/there"), entrySize, 0},
		{"rename with one name", message(opRename, 1, uint64(1), "a"), 0, syscall.EINVAL},
		{"rename2", message(opRename2, 1, uint64(1), uint64(0), "a", "b"), 0, 0},
		{"read", message(opRead, 1, read), 4, 0},
		{"write", message(opWrite, 1, write, []byte("abc")), 8, 0},
		{"write of more than came", message(opWrite, 1, shortWrite, []byte("abc")), 0, syscall.EINVAL},
		{"tmpfile", message(opTmpfile, 1, make([]byte, 16), "/"), entrySize + 16, 0},
		{"readdir", message(opReaddir, 1, uint64(0), uint64(0), uint32(100), uint32(0), uint64(0), uint64(0)), 96, 0},
		{"getxattr", message(opGetxattr, 1, uint32(5), uint32(0), "user.a"), 0, syscall.ENOSYS},
		{"listxattr size", message(opListxattr, 1, uint32(0), uint32(0)), 8, 0},
		{"listxattr", message(opListxattr, 1, uint32(7), uint32(0)), 7, 0},
		{"listxattr short", message(opListxattr, 1, uint32(6), uint32(0)), 0, syscall.ERANGE},
		{"setxattr", message(opSetxattr, 1, uint32(3), uint32(0), "user.a", []byte("abc")), 0, 0},
		{"setxattr of more than came", message(opSetxattr, 1, uint32(9), uint32(0), "user.a", []byte("abc")), 0, syscall.EINVAL},
		{"open", message(opOpen, 1, uint64(0)), 0, syscall.ENOSYS},
		{"flush", message(opFlush, 1, make([]byte, 24)), 0, syscall.ENOSYS},
		{"create", message(opCreate, 1, make([]byte, 16), "f"), 0, syscall.ENOSYS},
		{"ioctl", message(opIoctl, 1, make([]byte, 32)), 0, syscall.ENOTTY},
		{"unknown", message(9999, 1), 0, syscall.ENOSYS},
		{"forget", message(opForget, 1, uint64(1)), -1, 0},
		{"interrupt", message(opInterrupt, 0, uint64(1)), -1, 0},
	} {
		reply, err := c.handle(tc.msg)
		if err != nil {
			t.Errorf("%s: %v", tc.what, err)
			continue
		}
		if tc.n < 0 {
			if reply != nil {
				t.Errorf("%s: got a reply", tc.what)
			}
			continue
		}
		if len(reply) != outHeaderSize+tc.n || int(binary.LittleEndian.Uint32(reply)) != len(reply) {
			t.Errorf("%s: reply of %d bytes, want %d", tc.what, len(reply), outHeaderSize+tc.n)
		}
		if got := -int32(binary.LittleEndian.Uint32(reply[4:])); got != int32(tc.errno) {
			t.Errorf("%s: errno %d, want %d", tc.what, got, tc.errno)
		}
		if u := binary.LittleEndian.Uint64(reply[8:]); u != 77 {
			t.Errorf("%s: unique %d", tc.what, u)
		}
	}
	if string(fs.data) != "abc" {
		t.Errorf("setxattr value %q", fs.data)
	}
	if n := c.Spans()["unknown"].Count; n != 1 {
		t.Errorf("unknown requests counted: %d", n)
	}
}

func TestNanos(t *testing.T) {
	for _, ns := range []int64{0, 1, -1, 999999999, -1e9, -1e9 - 1, 1767225600e9 + 7, -62e15} {
		if got := nanos(splitNanos(ns)); got != ns {
			t.Errorf("%d came back as %d", ns, got)
		}
	}
	minSec := int64(math.MinInt64)
	for _, sec := range []uint64{math.MaxInt64, uint64(minSec), 1 << 40} {
		if s, n := splitNanos(nanos(sec, 5)); n > 999999999 {
			t.Errorf("%d: %d %d", sec, s, n)
		}
	}
}

// TestNoAllocation: a request costs no garbage.
func TestNoAllocation(t *testing.T) {
	c := NewConn(-1, quiet{&recorder{t: t}}, &sync.Mutex{})
	for _, msg := range [][]byte{message(opLookup, 1, "name"), message(opGetattr, 1, make([]byte, 16))} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.handle(msg); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

type quiet struct{ *recorder }

func (quiet) Lookup(r *Request, n []byte, e *Entry) syscall.Errno { return syscall.ENOENT }

func FuzzHandle(f *testing.F) {
	for op := uint32(1); op < opMax; op++ {
		f.Add(message(op, 1, make([]byte, 40), "name", "other"))
		f.Add(message(op, 1, "name"))
	}
	c := NewConn(-1, nil, &sync.Mutex{})
	f.Fuzz(func(t *testing.T, msg []byte) {
		c.fs = &recorder{t: t}
		reply, err := c.handle(msg)
		if err == nil && reply != nil && int(binary.LittleEndian.Uint32(reply)) != len(reply) {
			t.Errorf("length field and reply differ")
		}
	})
}
