package detfs

import (
	"math/rand/v2"
	"slices"

	"dettrace/internal/vary"
)

// varied are the sources that this server varies (package vary); nil in an
// ordinary run.
type varied struct {
	order *vary.Meter  // FileOrder: listings
	inode *vary.Meter  // Inode: files made by the run, 0 for all others
	image *vary.Choice // Inode, if it varies the files of layers
	begun bool         // the guest can make files
	extra uint64       // files that do not count
	start int64        // when, ns since 1970
}

func newVaried(p vary.Plan) varied {
	v := varied{order: p.Meter(vary.FileOrder), inode: p.Meter(vary.Inode)}
	if c, _, hit := v.inode.Next(0, 0, "files of image and inputs"); hit {
		v.image = c
	}
	return v
}

func (v *varied) report() (out []vary.Metered) {
	for _, m := range []*vary.Meter{v.order, v.inode} {
		if r, ok := m.Report(); ok {
			out = append(out, r)
		}
	}
	return out
}

// layerIno is mixIno under another numbering.
func (f *fsys) layerIno(ino uint64, mount int32) uint64 {
	x := mixIno(ino, mount)
	if c := f.vary.image; c != nil {
		x ^= c.Value(0) & (imageIno - 1)
	}
	return x
}

// newIno is the number of a file that the run makes, in place of ino. Varied
// ones have a space of their own below the bits of volumes.
func (f *fsys) newIno(ino uint64) uint64 {
	if !f.vary.begun {
		return ino
	}
	const space = 1 << 39
	if c, i, hit := f.vary.inode.Next(f.now()-f.vary.start, 0, "creation of a file"); hit {
		return 2*space | (c.Value(0)+i*2654435761)&(space-1) // an odd factor: no number twice
	}
	return ino
}

// ordered is a listing of n in the order in which a handle shows it.
func (f *fsys) ordered(n *node, list []listed) []listed {
	if f.vary.order == nil || n.flags&flagReadOnly != 0 { // the kernel's order of a static tree is fixed, too
		return list
	}
	c, i, hit := f.vary.order.Next(f.now()-f.vary.start, 0, "listing of a directory")
	if !hit {
		return list
	}
	list = slices.Clone(list)
	rand.New(rand.NewChaCha8(c.Key(i))).Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	return list
}
