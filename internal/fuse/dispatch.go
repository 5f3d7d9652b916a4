package fuse

import (
	"encoding/binary"
	"syscall"
)

// noReply tells that a request gets no answer (FORGET, INTERRUPT).
const noReply = -1

// dispatch handles one request and puts the reply's body into out. It returns
// the body's length, or noReply.
func (c *Conn) dispatch(r *Request, out []byte) (int, syscall.Errno) {
	fs := c.fs
	switch r.Op {
	case opLookup:
		name, errno := r.name(0)
		if errno != 0 {
			return 0, errno
		}
		return c.entry(out, fs.Lookup(r, name, &c.e))
	case opForget:
		if r.need(8) {
			fs.Forget(r.Node, r.u64(0))
		}
		return noReply, 0
	case opBatchForget:
		c.batchForget(r)
		return noReply, 0
	case opInterrupt:
		// Every request is answered before the next is read, so the
		// one to interrupt is always done already.
		return noReply, 0
	case opGetattr:
		if errno := fs.GetAttr(r, &c.e.Attr); errno != 0 {
			return 0, errno
		}
		return putAttrOut(out, &c.e.Attr), 0
	case opSetattr:
		if !c.set.parse(r) {
			return 0, syscall.EINVAL
		}
		if errno := fs.SetAttr(r, &c.set, &c.e.Attr); errno != 0 {
			return 0, errno
		}
		return putAttrOut(out, &c.e.Attr), 0
	case opReadlink:
		return fs.Readlink(r, out[:4096])
	case opMknod:
		name, errno := r.name(16)
		if errno != 0 {
			return 0, errno
		}
		return c.entry(out, fs.Mknod(r, name, r.u32(0), r.u32(4), &c.e))
	case opMkdir:
		name, errno := r.name(8)
		if errno != 0 {
			return 0, errno
		}
		return c.entry(out, fs.Mkdir(r, name, r.u32(0), &c.e))
	case opSymlink:
		name, target, errno := r.names(0)
		if errno == 0 {
			errno = checkName(name)
		}
		if errno != 0 {
			return 0, errno
		}
		return c.entry(out, fs.Symlink(r, name, target, &c.e))
	case opLink:
		name, errno := r.name(8)
		if errno != 0 {
			return 0, errno
		}
		return c.entry(out, fs.Link(r, r.u64(0), name, &c.e))
	case opTmpfile:
		if !r.need(16) {
			return 0, syscall.EINVAL
		}
		n, errno := c.entry(out, fs.Tmpfile(r, r.u32(4), &c.e))
		if errno != 0 {
			return 0, errno
		}
		// fuse_open_out: the file is open already; RELEASE will follow.
		clear(out[n : n+16])
		binary.LittleEndian.PutUint32(out[n+8:], openKeepCache|openNoFlush)
		return n + 16, 0
	case opUnlink:
		name, errno := r.name(0)
		if errno != 0 {
			return 0, errno
		}
		return 0, fs.Unlink(r, name)
	case opRmdir:
		name, errno := r.name(0)
		if errno != 0 {
			return 0, errno
		}
		return 0, fs.Rmdir(r, name)
	case opRename, opRename2:
		return c.rename(r)
	case opRead:
		return c.read(r, out)
	case opWrite:
		return c.write(r, out)
	case opFallocate:
		if !r.need(32) {
			return 0, syscall.EINVAL
		}
		return 0, fs.Fallocate(r, int64(r.u64(8)), int64(r.u64(16)), r.u32(24))
	case opStatfs:
		var st StatFS
		if errno := fs.StatFS(r, &st); errno != 0 {
			return 0, errno
		}
		return st.put(out), 0
	case opOpendir:
		fh, errno := fs.Opendir(r)
		if errno != 0 {
			return 0, errno
		}
		clear(out[:16])
		binary.LittleEndian.PutUint64(out, fh)
		return 16, 0
	case opReaddir, opReaddirplus:
		if !r.need(24) {
			return 0, syscall.EINVAL
		}
		c.dir = DirList{buf: out[:min(int(r.u32(16)), MaxWrite)], plus: r.Op == opReaddirplus}
		errno := fs.Readdir(r, r.u64(0), r.u64(8), &c.dir)
		return c.dir.n, errno
	case opReleasedir:
		if r.need(8) {
			fs.Releasedir(r.u64(0))
		}
		return 0, 0
	case opListxattr, opSetxattr, opRemovexattr:
		return c.xattr(r, out)
	case opRelease, opFsyncdir, opSyncfs, opDestroy:
		return 0, 0
	case opIoctl:
		return 0, syscall.ENOTTY
	}
	// Among these OPEN, FLUSH, CREATE, ACCESS, FSYNC, LSEEK,
	// COPY_FILE_RANGE, STATX, GETXATTR: the kernel remembers and does without.
	return 0, syscall.ENOSYS
}

func (c *Conn) entry(out []byte, errno syscall.Errno) (int, syscall.Errno) {
	if errno != 0 {
		return 0, errno
	}
	c.e.put(out)
	return entrySize, 0
}

func (c *Conn) batchForget(r *Request) {
	if !r.need(8) {
		return
	}
	for b := r.Body[8:]; len(b) >= 16; b = b[16:] {
		c.fs.Forget(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
	}
}

func (c *Conn) rename(r *Request) (int, syscall.Errno) {
	fixed, flags := 8, uint32(0)
	if r.Op == opRename2 {
		fixed = 16
	}
	from, to, errno := r.names(fixed)
	if errno != 0 {
		return 0, errno
	}
	if errno := checkName(from); errno != 0 {
		return 0, errno
	}
	if errno := checkName(to); errno != 0 {
		return 0, errno
	}
	if r.Op == opRename2 {
		flags = r.u32(8)
	}
	return 0, c.fs.Rename(r, from, r.u64(0), to, flags)
}

func (c *Conn) read(r *Request, out []byte) (int, syscall.Errno) {
	if !r.need(40) {
		return 0, syscall.EINVAL
	}
	off, n := int64(r.u64(8)), int(r.u32(16))
	if off < 0 || n > MaxWrite {
		return 0, syscall.EINVAL
	}
	if n >= spliceMin {
		if fd, k := c.fs.Source(r, off, n); k >= spliceMin && c.pipe.load(r, fd, off, k) {
			c.piped = outHeaderSize + k
			return noReply, 0
		}
	}
	return c.fs.Read(r, off, out[:n])
}

func (c *Conn) write(r *Request, out []byte) (int, syscall.Errno) {
	if !r.need(40) {
		return 0, syscall.EINVAL
	}
	off, n, flags := int64(r.u64(8)), int(r.u32(16)), r.u32(20)
	if off < 0 || off > 1<<63-1-MaxWrite || n > len(r.Body)-40 {
		return 0, syscall.EINVAL
	}
	if errno := c.fs.Write(r, off, r.Body[40:40+n], flags); errno != 0 {
		return 0, errno
	}
	binary.LittleEndian.PutUint64(out, uint64(n))
	return 8, 0
}

func (c *Conn) xattr(r *Request, out []byte) (int, syscall.Errno) {
	switch r.Op {
	case opListxattr:
		if !r.need(8) {
			return 0, syscall.EINVAL
		}
		v, errno := c.fs.Listxattr(r)
		if errno != 0 {
			return 0, errno
		}
		return xattrReply(out, v, r.u32(0))
	case opSetxattr:
		// Without FUSE_SETXATTR_EXT the fixed part is 8 bytes.
		name, errno := r.name(8)
		if errno != 0 {
			return 0, errno
		}
		size := int(r.u32(0))
		val := r.Body[8+len(name)+1:]
		if size > len(val) {
			return 0, syscall.EINVAL
		}
		return 0, c.fs.Setxattr(r, name, val[:size], r.u32(4))
	default:
		name, errno := r.name(0)
		if errno != 0 {
			return 0, errno
		}
		return 0, c.fs.Removexattr(r, name)
	}
}
