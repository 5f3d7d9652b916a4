package detfs

import (
	"syscall"

	"dettrace/internal/fuse"
	"dettrace/internal/image"
)

// Node flags.
const (
	flagData     = 1 << iota // content differs from the layer's
	flagMeta                 // mode, owner, xattrs or explicitly set times differ
	flagTimes                // times differ (a directory with changed entries)
	flagReadOnly             // in a static tree
	flagXattrs               // xattrs of the layer are loaded
	flagTmpfile              // made by O_TMPFILE and not linked yet
	flagPremade              // made from Config: part of the start state
	flagHidden               // StaticFile.Hidden
)

// node is one inode. A node lives as long as it has a name, or the kernel
// holds it (lookups), or both; a clean image node without materialised
// children is dropped at FORGET and made again on the next look-up.
type node struct {
	id      uint64 // FUSE node number: index into fsys.nodes
	ino     uint64 // st_ino
	lower   image.Node
	mount   int32 // index into fsys.layers; -1 for nodes without lower
	mode    uint32
	uid     uint32 // virtual owner
	gid     uint32
	nlink   uint32 // names; for directories 1, or 0 when removed
	flags   uint32
	rdev    uint32
	lookups uint64 // references of the kernel
	size    int64
	atime   int64 // ns since 1970
	mtime   int64
	ctime   int64
	basesz  int64 // size of lower at first sight, for statfs
	dir     *dirData
	data    *fileData
	target  string // symlinks
	home    *node  // image nodes with one name: the directory they were found in
	name    string // and their name there
	xattrs  []image.Xattr
}

// dirData is the part of a node that only directories have.
type dirData struct {
	parent   *node // itself for the root of a tree
	children map[string]dent
	list     []listed // snapshot of the merged listing, nil when stale
	lower    []image.Dirent
	read     bool       // lower is valid
	static   *staticDir // of a static tree, else nil
}

// dent is what a directory knows of one name.
type dent struct {
	n       *node // nil: whiteout
	covered bool  // the layer below has this name
	orig    bool  // n is what was at this name at the start
}

func (n *node) isDir() bool  { return n.mode&syscall.S_IFMT == syscall.S_IFDIR }
func (n *node) isReg() bool  { return n.mode&syscall.S_IFMT == syscall.S_IFREG }
func (n *node) isLink() bool { return n.mode&syscall.S_IFMT == syscall.S_IFLNK }

// clean reports whether n can be made again from its layer.
func (n *node) clean() bool {
	const dirty = flagData | flagMeta | flagTimes | flagReadOnly | flagPremade
	return n.lower != nil && n.flags&dirty == 0 && n.data == nil
}

// attr fills what stat(2) shows. Sizes of directories and their link counts are
// constants (4096 and, as on btrfs, 1): they depend on nothing.
func (f *fsys) attr(n *node, a *fuse.Attr) {
	*a = fuse.Attr{
		Ino: n.ino, Size: uint64(n.size), Blocks: PackBlocks(n.uid, n.gid),
		Atime: n.atime, Mtime: n.mtime, Ctime: n.ctime,
		Mode: n.mode, Nlink: n.nlink, UID: n.uid, GID: n.gid,
		Rdev: n.rdev, Blksize: 4096,
	}
	if f.cfg.SingleID {
		a.UID, a.GID = 0, 0
		return
	}
	a.UID, a.GID = mapped(n.uid), mapped(n.gid)
}

// mapped is the id to name to the kernel, which refuses any access to a file
// of an id without a mapping.
func mapped(id uint32) uint32 {
	if id >= MappedIDs {
		return 65534 // nobody; the owner itself cannot exist as a process
	}
	return id
}

// entry fills e for n and counts one reference of the kernel.
func (f *fsys) entry(n *node, e *fuse.Entry) {
	e.Node = n.id
	f.attr(n, &e.Attr)
	n.lookups++
}
