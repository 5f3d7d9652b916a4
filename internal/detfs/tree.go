package detfs

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"

	"dettrace/internal/digests"
	"dettrace/internal/image"
)

const (
	dirSize = 4096
	maxLink = 65000 // as ext4; link(2): EMLINK

	// Inode numbers. Each space is disjoint, and all fit int64.
	firstNewIno = 1000 // | volume<<48: files made in the run count up from here
	volumeTop   = 1    // | volume<<48: the top of a volume
	volumeShift = 48
	staticIno   = 1 << 61 // | tree<<32 | position
	imageIno    = 1 << 62 // | 62 bits of the layer's number
)

// fsys is the whole file system. mu guards everything in it; the FUSE thread
// holds it during a request, the control goroutine during a call.
type fsys struct {
	mu                 sync.Mutex
	cfg                Config
	now                func() int64 // logical clock
	fail               func(error)  // records a fatal error
	nodes              []*node      // by FUSE node number
	inputUID, inputGID uint32       // owner of what comes from inputs
	freeIDs            []uint64
	layers             []image.Layer
	digests            *digests.Cache     // of the layers' files
	hard               []map[uint64]*node // per layer: nodes with several names, by layer ino
	nextIno            uint64
	vary               varied
	root               *node            // the FUSE root
	guest              *node            // the guest's /
	byIno              map[uint64]*node // built on first use
	used               int64            // bytes of linked upper data
	handles            []*dirHandle
	freeH              []uint64
	st                 *store
	open               lowerFiles
	lost               error // first fatal error

	doors     map[uint64]string // StaticFile.Door by inode number
	doorsUsed []string          // of those that were read

	texts       map[uint64]bool // inode numbers of files that watchText copied
	textChanged func()
	metFifo     func() syscall.Errno // nil: nobody has to know
	mapped      map[uint64]bool      // of files that were mapped shared and writable
}

func newFsys(cfg Config, st *store, now func() int64, fail func(error)) *fsys {
	f := &fsys{
		cfg: cfg, now: now, fail: fail, st: st, nextIno: firstNewIno,
		doors:   map[uint64]string{},
		digests: digests.Open(cfg.Digests),
		vary:    newVaried(cfg.Vary),
		nodes:   make([]*node, 1, 1024), // node number 0 is no node
	}
	f.root = f.add(&node{
		ino: 1, mount: -1, mode: syscall.S_IFDIR | 0o755, nlink: 1, size: dirSize,
		atime: cfg.Epoch, mtime: cfg.Epoch, ctime: cfg.Epoch, flags: flagReadOnly,
		lookups: 1,
	})
	f.root.dir = newDir(f.root)
	return f
}

func newDir(parent *node) *dirData {
	return &dirData{parent: parent, children: make(map[string]dent)}
}

// add gives n a FUSE node number.
func (f *fsys) add(n *node) *node {
	if k := len(f.freeIDs); k > 0 {
		n.id = f.freeIDs[k-1]
		f.freeIDs = f.freeIDs[:k-1]
		f.nodes[n.id] = n
	} else {
		n.id = uint64(len(f.nodes))
		f.nodes = append(f.nodes, n)
	}
	if f.byIno != nil {
		f.byIno[n.ino] = n
	}
	return n
}

// drop takes n's number back and frees its data.
func (f *fsys) drop(n *node) {
	f.nodes[n.id] = nil
	f.freeIDs = append(f.freeIDs, n.id)
	if f.byIno != nil {
		delete(f.byIno, n.ino)
	}
	f.open.forget(n)
	if n.lower != nil && !n.isDir() {
		if ino := n.lower.Meta().Ino; f.hard[n.mount][ino] == n {
			delete(f.hard[n.mount], ino)
		}
	}
	if n.data != nil {
		n.data.free(f.st)
		n.data = nil
	}
}

// get finds a node by number; the kernel only knows numbers we gave it.
func (f *fsys) get(id uint64) *node {
	if id < uint64(len(f.nodes)) {
		return f.nodes[id]
	}
	return nil
}

// getDir finds a directory that still exists.
func (f *fsys) getDir(id uint64) (*node, syscall.Errno) {
	n := f.get(id)
	switch {
	case n == nil:
		return nil, syscall.ESTALE
	case !n.isDir():
		return nil, syscall.ENOTDIR
	}
	return n, 0
}

// layerError turns an error of a layer into an errno. Anything but a clean
// "not there" or "not allowed" means that the host does not give what it gave:
// the run cannot stay deterministic and ends.
func (f *fsys) layerError(op string, err error) syscall.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, fs.ErrPermission):
		return syscall.EACCES
	}
	f.fatal(fmt.Errorf("detfs: %s: %w", op, err))
	return syscall.EIO
}

func (f *fsys) fatal(err error) {
	if f.lost == nil {
		f.lost = err
		f.fail(err)
	}
}

// lookup finds name in d, making the node from the layer if need be.
func (f *fsys) lookup(d *node, name []byte) (*node, syscall.Errno) {
	if c, ok := d.dir.children[string(name)]; ok {
		if c.n == nil {
			return nil, syscall.ENOENT
		}
		return c.n, 0
	}
	s := string(name)
	if d.dir.static != nil {
		if n := f.expand(d, s); n != nil {
			return n, 0
		}
	}
	if d.lower == nil {
		return nil, syscall.ENOENT
	}
	ln, err := d.lower.Lookup(s)
	if err != nil {
		return nil, f.layerError("lookup "+s, err)
	}
	n := f.materialise(ln, d, d.mount)
	n.home, n.name = d, s
	d.dir.children[s] = dent{n: n, covered: true, orig: true}
	return n, 0
}

// materialise makes a node from a layer's. Hard links of one file become one
// node, in whatever order they are seen.
func (f *fsys) materialise(ln image.Node, parent *node, mount int32) *node {
	m := ln.Meta()
	many := m.Nlink > 1 && m.Mode&syscall.S_IFMT != syscall.S_IFDIR
	if many {
		if n := f.hard[mount][m.Ino]; n != nil {
			return n
		}
	}
	n := &node{
		ino: f.layerIno(m.Ino, mount), lower: ln, mount: mount,
		mode: m.Mode, uid: m.UID, gid: m.GID, nlink: max(m.Nlink, 1),
		rdev: uint32(m.Rdev), size: m.Size, basesz: m.Size,
		atime: m.Mtime, mtime: m.Mtime, ctime: m.Mtime,
	}
	if f.isInput(n) {
		n.uid, n.gid = f.inputUID, f.inputGID
	}
	f.adapt(n)
	if n.isDir() {
		n.nlink, n.size, n.basesz = 1, dirSize, 0
		n.dir = newDir(parent)
	}
	f.add(n)
	if many {
		f.hard[mount][m.Ino] = n
	}
	return n
}

// adapt makes of a layer's file what its mount asks for.
func (f *fsys) adapt(n *node) {
	if int(n.mount) >= len(f.cfg.Mounts) {
		return
	}
	m := &f.cfg.Mounts[n.mount]
	if m.Owner != 0 && n.uid == 0 && n.gid == 0 {
		n.uid, n.gid = m.Owner, m.Owner
	}
	n.atime, n.mtime, n.ctime = n.atime-m.Older, n.mtime-m.Older, n.ctime-m.Older
}

// mixIno places a layer's number into the image space, apart for each mount:
// a bijection for one mount (odd multiplier), the number itself for the first.
func mixIno(ino uint64, mount int32) uint64 {
	x := ino + uint64(mount)*0x9e3779b97f4a7c15
	if mount > 0 {
		x *= 0xbf58476d1ce4e5b9
	}
	return imageIno | x&(imageIno-1)
}

// create makes a node without a lower one, owned by uid and gid as
// inode_init_owner(9) does: a set-group-id directory passes its group on.
func (f *fsys) create(d *node, mode, uid, gid uint32) *node {
	if d != nil && d.mode&syscall.S_ISGID != 0 {
		gid = d.gid
		if mode&syscall.S_IFMT == syscall.S_IFDIR {
			mode |= syscall.S_ISGID
		}
	}
	now := f.now()
	n := &node{
		ino: f.newIno(f.nextIno), mount: -1, mode: mode, uid: uid, gid: gid, nlink: 1,
		atime: now, mtime: now, ctime: now, flags: flagData,
	}
	if d != nil {
		if v, _ := Volume(d.ino); v > 0 && v <= MaxVolume {
			n.ino |= uint64(v) << volumeShift
		}
	}
	f.nextIno++
	if n.isDir() {
		n.size = dirSize
		n.dir = newDir(d)
	}
	return f.add(n)
}

// touchDir records that entries of d changed.
func (f *fsys) touchDir(d *node) {
	d.mtime = f.now()
	d.ctime = d.mtime
	d.flags |= flagTimes
	d.dir.list = nil
}

// put enters n under name, keeping what is known of the layer below.
func (d *dirData) put(name string, n *node) {
	old := d.children[name]
	d.children[name] = dent{n: n, covered: old.covered}
	d.list = nil
}

// remove takes a name away, leaving a whiteout where the layer has it.
func (d *dirData) remove(name []byte) {
	if old := d.children[string(name)]; old.covered {
		d.children[string(name)] = dent{covered: true}
	} else {
		delete(d.children, string(name))
	}
	d.list = nil
}

// unref takes one name from n.
func (f *fsys) unref(n *node) {
	if n.isDir() {
		n.nlink = 0
	} else {
		n.nlink--
	}
	n.ctime = f.now()
	n.flags |= flagTimes
	if n.nlink == 0 {
		f.used -= n.charge()
		if n.lookups == 0 {
			f.drop(n)
		}
	}
}

// charge is what statfs counts for a linked n: the bytes a file has beyond its
// image. It depends on sizes only, never on what was copied up or cached.
func (n *node) charge() int64 {
	if !n.isReg() {
		return 0
	}
	return max(0, BlocksForSize(n.size)-BlocksForSize(n.basesz)) * 512
}
