// Package rootfs is a file tree in memory, as archives describe one: it is made
// by applying tar archives or layers one after the other, and has a canonical
// form (the manifest) whose SHA-256 is the identity of an image.
//
// Nothing here touches the host's files: names are resolved inside the tree
// only, so that no archive, however hostile, can mean a file outside. What is
// done with the content of regular files is the caller's (Options.Content).
package rootfs

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// Xattr is one extended attribute.
type Xattr struct {
	Name  string
	Value []byte
}

// Node is one inode of a tree.
type Node struct {
	Mode     uint32 // st_mode: type and permission bits
	UID, GID uint32
	Rdev     uint64 // device nodes
	Size     int64  // bytes of a regular file, else 0
	Mtime    int64  // ns since 1970 as the source has it, also before; 0 when Implied
	// Implied directories only occur in the names of others: they are 0755,
	// belong to 0:0 and have no time.
	Implied bool
	Target  string  // of a symlink
	Xattrs  []Xattr // sorted by name
	// Digest is the SHA-256 of a regular file's content, once somebody
	// computed it.
	Digest [sha256.Size]byte
	// Source holds the content at Offset, for trees that are read from the
	// archive itself.
	Source io.ReaderAt
	Offset int64

	Nlink uint32 // names in the tree, see Number
	Ino   uint64 // PathIno of the first of them

	children map[string]dent
	layer    int32 // that made the node
}

// dent is one name of a directory.
type dent struct {
	n *Node
	// layer is the last one that placed something at the name or, for a
	// directory, below it: a whiteout of the same layer spares that.
	layer int32
}

// Type is the S_IFMT part of the mode.
func (n *Node) Type() uint32 { return n.Mode & unix.S_IFMT }

// IsDir reports whether n is a directory.
func (n *Node) IsDir() bool { return n.Type() == unix.S_IFDIR }

// IsRegular reports whether n is a regular file.
func (n *Node) IsRegular() bool { return n.Type() == unix.S_IFREG }

// Child finds one name of a directory; nil when there is none.
func (n *Node) Child(name string) *Node { return n.children[name].n }

// Names lists a directory sorted bytewise.
func (n *Node) Names() []string { return slices.Sorted(maps.Keys(n.children)) }

// Tree is a root directory and all below it.
type Tree struct {
	Root   *Node
	layer  int32
	budget *Budget // of the archive that is being applied
}

// New is a tree of an implied root.
func New() *Tree {
	t := &Tree{}
	t.Root = t.implied()
	return t
}

func (t *Tree) implied() *Node {
	return &Node{Mode: unix.S_IFDIR | 0o755, Implied: true, children: make(map[string]dent), layer: t.layer}
}

// NewDir is an empty directory to be filled with Add.
func NewDir() *Node { return &Node{Mode: unix.S_IFDIR, children: make(map[string]dent)} }

// Add puts n under a name of directory d; a name that is taken is replaced.
// Adding one node under several names makes hard links.
func (n *Node) Add(name string, child *Node) { n.children[name] = dent{n: child} }

// Walk visits every name in the order of paths compared name by name, so that
// a directory is followed by what is below it. Hard links are visited once per
// name. The root's path is "/".
func (t *Tree) Walk(do func(path string, n *Node) error) error {
	type item struct {
		path string
		n    *Node
	}
	todo := []item{{"", t.Root}}
	for len(todo) > 0 {
		it := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := it.path
		if p == "" {
			p = "/"
		}
		if err := do(p, it.n); err != nil {
			return err
		}
		for _, name := range slices.Backward(it.n.Names()) {
			todo = append(todo, item{it.path + "/" + name, it.n.children[name].n})
		}
	}
	return nil
}

// Number gives inodes their number and counts their names. An implied
// directory in which nothing is left becomes an ordinary one of time 0, as
// no archive could imply it any more.
func (t *Tree) Number() {
	_ = t.Walk(func(p string, n *Node) error { n.Nlink = 0; return nil }) // do never fails
	_ = t.Walk(func(p string, n *Node) error {
		if n.Nlink++; n.Nlink == 1 {
			n.Ino = PathIno(p)
		}
		if n.Implied && len(n.children) == 0 && p != "/" {
			n.Implied = false
		}
		return nil
	})
}

// PathIno is the identity of a file by its path in a tree. The hash is a
// cryptographic one so that no archive can choose names which collide.
// 0 means "no inode" to many programs and the first few numbers belong to
// others (1 is a root), so small ones are moved up.
func PathIno(path string) uint64 {
	sum := sha256.Sum256([]byte(path))
	x := binary.BigEndian.Uint64(sum[:8]) >> 1
	if x < 16 {
		x += 16
	}
	return x
}
