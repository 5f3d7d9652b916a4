package fuse

import (
	"bytes"
	"encoding/binary"
	"syscall"
)

// Request is one decoded header. Body and everything cut from it is valid
// only until the FS method returns.
type Request struct {
	Op       uint32
	Unique   uint64
	Node     uint64 // the inode the request is about; the directory for name operations
	UID, GID uint32 // fsuid and fsgid of the caller in the mount's user namespace
	PID      uint32
	Body     []byte
}

// parse decodes the header of one message.
func (r *Request) parse(b []byte) bool {
	if len(b) < inHeaderSize {
		return false
	}
	n := binary.LittleEndian.Uint32(b)
	if n < inHeaderSize || int(n) > len(b) {
		return false
	}
	r.Op = binary.LittleEndian.Uint32(b[4:])
	r.Unique = binary.LittleEndian.Uint64(b[8:])
	r.Node = binary.LittleEndian.Uint64(b[16:])
	r.UID = binary.LittleEndian.Uint32(b[24:])
	r.GID = binary.LittleEndian.Uint32(b[28:])
	r.PID = binary.LittleEndian.Uint32(b[32:])
	ext := int(binary.LittleEndian.Uint16(b[36:])) * 8 // total_extlen, at the end
	if inHeaderSize+ext > int(n) {
		return false
	}
	r.Body = b[inHeaderSize : int(n)-ext : int(n)-ext]
	return true
}

// u32 and u64 read a field of the fixed part; size was checked by need.
func (r *Request) u32(off int) uint32 { return binary.LittleEndian.Uint32(r.Body[off:]) }
func (r *Request) u64(off int) uint64 { return binary.LittleEndian.Uint64(r.Body[off:]) }

// need reports whether the fixed part has n bytes.
func (r *Request) need(n int) bool { return len(r.Body) >= n }

// cstr cuts a NUL-terminated string.
func cstr(b []byte) (s, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+1:], true
}

// name cuts the single name after a fixed part of n bytes.
func (r *Request) name(n int) ([]byte, syscall.Errno) {
	if !r.need(n) {
		return nil, syscall.EINVAL
	}
	s, _, ok := cstr(r.Body[n:])
	if !ok {
		return nil, syscall.EINVAL
	}
	return s, checkName(s)
}

// names cuts two names after a fixed part of n bytes.
func (r *Request) names(n int) (a, b []byte, errno syscall.Errno) {
	if !r.need(n) {
		return nil, nil, syscall.EINVAL
	}
	a, rest, ok := cstr(r.Body[n:])
	if !ok {
		return nil, nil, syscall.EINVAL
	}
	if b, _, ok = cstr(rest); !ok {
		return nil, nil, syscall.EINVAL
	}
	return a, b, 0
}

// checkName refuses what no directory can hold.
func checkName(s []byte) syscall.Errno {
	switch {
	case len(s) == 0:
		return syscall.EINVAL
	case len(s) > 255:
		return syscall.ENAMETOOLONG
	case bytes.IndexByte(s, '/') >= 0:
		return syscall.EINVAL
	}
	return 0
}

// SetAttrIn is struct fuse_setattr_in; times are ns since 1970.
type SetAttrIn struct {
	Valid        uint32
	Size         uint64
	Atime, Mtime int64
	Mode         uint32
	UID, GID     uint32
}

func (in *SetAttrIn) parse(r *Request) bool {
	if !r.need(88) {
		return false
	}
	in.Valid = r.u32(0)
	in.Size = r.u64(16)
	in.Atime = nanos(r.u64(32), r.u32(56))
	in.Mtime = nanos(r.u64(40), r.u32(60))
	in.Mode = r.u32(68)
	in.UID = r.u32(76)
	in.GID = r.u32(80)
	return true
}

// nanos joins seconds and nanoseconds, clamped to the range of int64 ns
// (1677 to 2262).
func nanos(sec uint64, nsec uint32) int64 {
	const max = 9_223_372_035
	switch s := int64(sec); {
	case s >= max:
		return max * 1e9
	case s <= -max:
		return -max * 1e9
	default:
		return s*1e9 + int64(nsec%1e9)
	}
}

// splitNanos is the inverse of nanos; nsec is never negative.
func splitNanos(t int64) (sec uint64, nsec uint32) {
	s, n := t/1e9, t%1e9
	if n < 0 {
		s, n = s-1, n+1e9
	}
	return uint64(s), uint32(n)
}
