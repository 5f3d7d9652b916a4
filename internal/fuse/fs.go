package fuse

import "syscall"

// FS is what a file system does. Methods are called by one thread, one at a
// time; byte slices belong to the transport and must be copied to be kept. A
// reply that carries an Entry with a Node other than 0 counts as one lookup of
// that node, until Forget takes it back.
type FS interface {
	Lookup(r *Request, name []byte, e *Entry) syscall.Errno
	Forget(node, n uint64)
	GetAttr(r *Request, a *Attr) syscall.Errno
	SetAttr(r *Request, in *SetAttrIn, a *Attr) syscall.Errno
	// Readlink fills dst and returns the length.
	Readlink(r *Request, dst []byte) (int, syscall.Errno)

	// Mknod makes everything but directories and symlinks. mode comes with
	// the umask applied.
	Mknod(r *Request, name []byte, mode, rdev uint32, e *Entry) syscall.Errno
	Mkdir(r *Request, name []byte, mode uint32, e *Entry) syscall.Errno
	Symlink(r *Request, name, target []byte, e *Entry) syscall.Errno
	Tmpfile(r *Request, mode uint32, e *Entry) syscall.Errno
	Link(r *Request, node uint64, name []byte, e *Entry) syscall.Errno
	Unlink(r *Request, name []byte) syscall.Errno
	Rmdir(r *Request, name []byte) syscall.Errno
	Rename(r *Request, name []byte, newDir uint64, newName []byte, flags uint32) syscall.Errno

	// Read fills dst and returns the length; short means end of file.
	Read(r *Request, off int64, dst []byte) (int, syscall.Errno)
	// Source tells of a file of the host that holds, from off on, the k bytes that such
	// a Read of n would give; k is 0 if there is none. The descriptor is used
	// before the next call of any method.
	Source(r *Request, off int64, n int) (fd, k int)
	Write(r *Request, off int64, data []byte, flags uint32) syscall.Errno
	Fallocate(r *Request, off, n int64, mode uint32) syscall.Errno
	StatFS(r *Request, s *StatFS) syscall.Errno

	Opendir(r *Request) (fh uint64, errno syscall.Errno)
	Readdir(r *Request, fh, off uint64, l *DirList) syscall.Errno
	Releasedir(fh uint64)

	Listxattr(r *Request) ([]byte, syscall.Errno)
	Setxattr(r *Request, name, value []byte, flags uint32) syscall.Errno
	Removexattr(r *Request, name []byte) syscall.Errno
}
