package detfs

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/fuse"
	"dettrace/internal/image"
)

const capsXattr = "security.capability"

// visibleXattr: user.* and security.* are kept. trusted.* needs privileges
// over the host, and access control lists are refused by the kernel on a FUSE
// mount of a user namespace (fuse_no_acl), so a layer's are not shown either.
func visibleXattr(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "security.")
}

// loadXattrs gives n its layer's attributes, sorted by name.
func (f *fsys) loadXattrs(n *node) syscall.Errno {
	if n.lower == nil || n.flags&flagXattrs != 0 {
		return 0
	}
	xs, err := n.lower.Xattrs()
	if err != nil {
		return f.layerError("xattrs", err)
	}
	n.xattrs = nil
	for _, x := range xs {
		if visibleXattr(x.Name) {
			n.xattrs = append(n.xattrs, x)
		}
	}
	n.flags |= flagXattrs
	return 0
}

func findXattr(xs []image.Xattr, name string) (int, bool) {
	return slices.BinarySearchFunc(xs, name, func(x image.Xattr, s string) int { return strings.Compare(x.Name, s) })
}

func (f *fsys) xattrNode(id uint64) (*node, syscall.Errno) {
	n := f.get(id)
	if n == nil {
		return nil, syscall.ESTALE
	}
	return n, f.loadXattrs(n)
}

// getxattr is Client.GetxattrIno.
func (f *fsys) getxattr(ino uint64, name string) (*value, error) {
	n := f.findIno(ino)
	if n == nil {
		return nil, fmt.Errorf("detfs: inode %d: %w", ino, syscall.ENOENT)
	}
	if errno := f.loadXattrs(n); errno != 0 {
		return nil, errno
	}
	i, ok := findXattr(n.xattrs, name)
	if !ok {
		return nil, syscall.ENODATA
	}
	return &value{n.xattrs[i].Value}, nil
}

// value is bytes as an answer.
type value struct{ b []byte }

func (v *value) code(c *coder) { text(c, &v.b) }

// GetxattrIno gives an extended attribute of the file with this st_ino of the guest's
// tree, as it was set: ENODATA if there is none, which is an errno in the error's
// chain. The kernel says of our files that they have no attributes to read (see
// package fuse), so getxattr(2) has to be answered like this.
func (c *Client) GetxattrIno(ino uint64, name string) ([]byte, error) {
	var v value
	err := c.call(&call{Op: "getxattr", Ino: ino, Pattern: name}, -1, &v)
	return v.b, err
}

// Listxattr implements listxattr(2), sorted by name.
func (f *fsys) Listxattr(r *fuse.Request) ([]byte, syscall.Errno) {
	n, errno := f.xattrNode(r.Node)
	if errno != 0 {
		return nil, errno
	}
	var b []byte
	for _, x := range n.xattrs {
		b = append(append(b, x.Name...), 0)
	}
	return b, 0
}

// Setxattr implements setxattr(2).
func (f *fsys) Setxattr(r *fuse.Request, name, value []byte, flags uint32) syscall.Errno {
	n, errno := f.xattrNode(r.Node)
	switch {
	case errno != 0:
		return errno
	case n.flags&flagReadOnly != 0:
		return syscall.EROFS
	case !visibleXattr(string(name)):
		return syscall.EOPNOTSUPP
	}
	i, ok := findXattr(n.xattrs, string(name))
	switch {
	case ok && flags&unix.XATTR_CREATE != 0:
		return syscall.EEXIST
	case !ok && flags&unix.XATTR_REPLACE != 0:
		return syscall.ENODATA
	}
	x := image.Xattr{Name: string(name), Value: slices.Clone(value)}
	n.xattrs = slices.Clone(n.xattrs)
	if ok {
		n.xattrs[i] = x
	} else {
		n.xattrs = slices.Insert(n.xattrs, i, x)
	}
	n.ctime = f.now()
	n.flags |= flagMeta
	return 0
}

// Removexattr implements removexattr(2).
func (f *fsys) Removexattr(r *fuse.Request, name []byte) syscall.Errno {
	n, errno := f.xattrNode(r.Node)
	switch {
	case errno != 0:
		return errno
	case n.flags&flagReadOnly != 0:
		return syscall.EROFS
	}
	i, ok := findXattr(n.xattrs, string(name))
	if !ok {
		return syscall.ENODATA
	}
	n.xattrs = slices.Delete(slices.Clone(n.xattrs), i, i+1)
	n.ctime = f.now()
	n.flags |= flagMeta
	return 0
}

// dropCaps removes file capabilities, as every write and chown does. Layer
// attributes that were not loaded yet are loaded for it only when the layer may
// have them; a layer that fails here fails at the next real access too.
func (n *node) dropCaps() {
	if n.lower != nil && n.flags&flagXattrs == 0 {
		xs, err := n.lower.Xattrs()
		if err != nil {
			return
		}
		for _, x := range xs {
			if visibleXattr(x.Name) {
				n.xattrs = append(n.xattrs, x)
			}
		}
		n.flags |= flagXattrs
	}
	if i, ok := findXattr(n.xattrs, capsXattr); ok {
		n.xattrs = slices.Delete(slices.Clone(n.xattrs), i, i+1)
		n.flags |= flagMeta
	}
}
