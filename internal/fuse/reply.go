package fuse

import (
	"encoding/binary"
	"syscall"
)

// Attr is struct fuse_attr; times are ns since 1970.
type Attr struct {
	Ino, Size, Blocks    uint64
	Atime, Mtime, Ctime  int64
	Mode, Nlink          uint32
	UID, GID             uint32
	Rdev, Blksize, Flags uint32
}

// Entry is struct fuse_entry_out. Node 0 is a negative entry.
type Entry struct {
	Node uint64
	Attr Attr
}

// StatFS is struct fuse_kstatfs.
type StatFS struct {
	Blocks, Bfree, Bavail, Files, Ffree uint64
	Bsize, Namelen, Frsize              uint32
}

func (a *Attr) put(b []byte) {
	_ = b[attrSize-1]
	le := binary.LittleEndian
	le.PutUint64(b[0:], a.Ino)
	le.PutUint64(b[8:], a.Size)
	le.PutUint64(b[16:], a.Blocks)
	as, an := splitNanos(a.Atime)
	ms, mn := splitNanos(a.Mtime)
	cs, cn := splitNanos(a.Ctime)
	le.PutUint64(b[24:], as)
	le.PutUint64(b[32:], ms)
	le.PutUint64(b[40:], cs)
	le.PutUint32(b[48:], an)
	le.PutUint32(b[52:], mn)
	le.PutUint32(b[56:], cn)
	le.PutUint32(b[60:], a.Mode)
	le.PutUint32(b[64:], a.Nlink)
	le.PutUint32(b[68:], a.UID)
	le.PutUint32(b[72:], a.GID)
	le.PutUint32(b[76:], a.Rdev)
	le.PutUint32(b[80:], a.Blksize)
	le.PutUint32(b[84:], a.Flags)
}

func (e *Entry) put(b []byte) {
	_ = b[entrySize-1]
	le := binary.LittleEndian
	le.PutUint64(b[0:], e.Node)
	le.PutUint64(b[8:], 0) // generation: node numbers are reused only after FORGET
	le.PutUint64(b[16:], forever)
	le.PutUint64(b[24:], forever)
	le.PutUint64(b[32:], 0)
	e.Attr.put(b[40:])
}

func putAttrOut(b []byte, a *Attr) int {
	binary.LittleEndian.PutUint64(b[0:], forever)
	binary.LittleEndian.PutUint64(b[8:], 0)
	a.put(b[16:])
	return 16 + attrSize
}

func (s *StatFS) put(b []byte) int {
	le := binary.LittleEndian
	clear(b[:80])
	le.PutUint64(b[0:], s.Blocks)
	le.PutUint64(b[8:], s.Bfree)
	le.PutUint64(b[16:], s.Bavail)
	le.PutUint64(b[24:], s.Files)
	le.PutUint64(b[32:], s.Ffree)
	le.PutUint32(b[40:], s.Bsize)
	le.PutUint32(b[44:], s.Namelen)
	le.PutUint32(b[48:], s.Frsize)
	return 80
}

func putHeader(b []byte, n int, errno int32, unique uint64) {
	binary.LittleEndian.PutUint32(b[0:], uint32(n))
	binary.LittleEndian.PutUint32(b[4:], uint32(errno))
	binary.LittleEndian.PutUint64(b[8:], unique)
}

// DirList collects the entries of one READDIR or READDIRPLUS reply.
type DirList struct {
	buf  []byte
	n    int
	plus bool
}

// Plus reports whether the kernel would also take attributes.
func (l *DirList) Plus() bool { return l.plus }

// Add appends one entry and reports whether it fitted. cookie is the offset of
// the next entry; typ the S_IFMT part of the mode. e, when not nil, gives the
// kernel a node (with READDIRPLUS only): the FS counts it as a lookup when Add
// returned true.
func (l *DirList) Add(name string, ino, cookie uint64, typ uint32, e *Entry) bool {
	size := (direntSize + len(name) + 7) &^ 7
	head := 0
	if l.plus {
		head = entrySize
	}
	if l.n+head+size > len(l.buf) {
		return false
	}
	b := l.buf[l.n : l.n+head+size]
	clear(b)
	if l.plus {
		if e != nil {
			e.put(b)
		}
		b = b[head:]
	}
	le := binary.LittleEndian
	le.PutUint64(b[0:], ino)
	le.PutUint64(b[8:], cookie)
	le.PutUint32(b[16:], uint32(len(name)))
	le.PutUint32(b[20:], typ>>12)
	copy(b[direntSize:], name)
	l.n += head + size
	return true
}

// xattrReply answers LISTXATTR: the size when room is 0, else
// the value.
func xattrReply(b, val []byte, room uint32) (int, syscall.Errno) {
	if room == 0 {
		binary.LittleEndian.PutUint64(b, uint64(len(val)))
		return 8, 0
	}
	if len(val) > int(room) {
		return 0, syscall.ERANGE
	}
	return copy(b, val), 0
}
