package image

import (
	"crypto/sha256"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Open opens the host's file. It fails with ErrChanged when the file is not
// the one look-up saw.
func (n *lnode) Open() (File, error) {
	f, err := n.open()
	if err != nil {
		return nil, err
	}
	n.flags |= sawRead
	return f, nil
}

func (n *lnode) open() (*hostFile, error) {
	if !n.isReg() {
		return nil, &os.PathError{Op: "open", Path: n.hostPath(), Err: unix.EINVAL}
	}
	at, name, err := n.at()
	if err != nil {
		return nil, err
	}
	// O_NONBLOCK: should a pipe have taken the name, do not wait for a writer.
	flags := unix.O_RDONLY | unix.O_NONBLOCK
	fd, err := openat(at, name, flags|n.l.noatime)
	if err == unix.EPERM && n.l.noatime != 0 {
		// open(2): O_NOATIME is for the owner only.
		n.l.noatime = 0
		fd, err = openat(at, name, flags)
	}
	if err != nil {
		return nil, n.l.gone(n, "open", err)
	}
	if err := n.checkID(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &hostFile{fd: fd, n: n}, nil
}

// hostFile is an open file of the host.
type hostFile struct {
	fd int
	n  *lnode
}

func (f *hostFile) ReadAt(b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		k, err := unix.Pread(f.fd, b[done:], off+int64(done))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, &os.PathError{Op: "read", Path: f.n.hostPath(), Err: err}
		case k == 0:
			return done, io.EOF
		default:
			done += k
		}
	}
	return done, nil
}

func (f *hostFile) unchanged() error { return f.n.checkID(f.fd) }

func (f *hostFile) Close() error { return unix.Close(f.fd) }

// Xattrs gives the user's attributes and file capabilities. Labels, ACLs and
// trusted attributes belong to the host's policy, and not everyone can read
// them.
func (n *lnode) Xattrs() ([]Xattr, error) {
	xs, err := n.readXattrs()
	if err != nil {
		return nil, err
	}
	n.xattrs = xattrDigest(xs)
	n.flags |= sawXattr
	return xs, nil
}

func (n *lnode) readXattrs() ([]Xattr, error) {
	if n.isLink() {
		return nil, nil // xattr(7): user attributes are for files and directories
	}
	at, name, err := n.at()
	if err != nil {
		return nil, err
	}
	// There is no listxattrat before Linux 6.13, and O_PATH does not do.
	p := name
	if at != unix.AT_FDCWD {
		p = "/proc/self/fd/" + strconv.Itoa(at) + "/" + name
	}
	list, err := sized(func(b []byte) (int, error) { return unix.Llistxattr(p, b) })
	switch {
	case err == unix.ENOTSUP, err == unix.EACCES, err == unix.EPERM:
		return nil, nil
	case err != nil:
		return nil, n.l.gone(n, "listxattr", err)
	}
	var out []Xattr
	for attr := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if !strings.HasPrefix(attr, "user.") && attr != "security.capability" {
			continue
		}
		v, err := sized(func(b []byte) (int, error) { return unix.Lgetxattr(p, attr, b) })
		switch {
		case err == unix.ENODATA:
			return nil, n.l.changed(n, "lost an attribute")
		case err == unix.EACCES, err == unix.EPERM, err == unix.ENOTSUP:
			continue
		case err != nil:
			return nil, n.l.gone(n, "getxattr", err)
		}
		out = append(out, Xattr{Name: attr, Value: v})
	}
	slices.SortFunc(out, func(a, b Xattr) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// sized calls get with a buffer that is large enough.
func sized(get func([]byte) (int, error)) ([]byte, error) {
	for {
		k, err := get(nil)
		if err != nil || k == 0 {
			return nil, err
		}
		b := make([]byte, k)
		k, err = get(b)
		if err == unix.ERANGE {
			continue // it grew in between
		}
		if err != nil {
			return nil, err
		}
		return b[:k], nil
	}
}

// xattrDigest is "" for none.
func xattrDigest(xs []Xattr) string {
	if len(xs) == 0 {
		return ""
	}
	h := sha256.New()
	for _, x := range xs {
		field(h, x.Name)
		field(h, string(x.Value))
	}
	return sumString(h)
}
