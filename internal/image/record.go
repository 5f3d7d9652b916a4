package image

import (
	"errors"
	"fmt"
	"io/fs"
)

// Record wraps a complete layer, whose nodes remember nothing, so that it can
// tell what was learned through it. Everything else stays the layer's. epoch is
// the time of files without one of their own, in ns since 1970.
func Record(l Layer, epoch int64) Layer {
	return &recorded{Layer: l, epoch: epoch, seen: make(map[string]*asked)}
}

type recorded struct {
	Layer
	epoch int64
	seen  map[string]*asked // by path
}

// asked is what was asked of one path; n is nil for a missing one.
type asked struct {
	n     Node
	flags uint8
}

// recNode is a node with the path it was found at.
type recNode struct {
	Node
	r    *recorded
	path string
	a    *asked
}

func (r *recorded) Root() (Node, error) {
	n, err := r.Layer.Root()
	if err != nil {
		return nil, err
	}
	return r.node("/", n), nil
}

func (r *recorded) node(path string, n Node) *recNode {
	a := r.seen[path]
	if a == nil {
		a = &asked{n: n}
		r.seen[path] = a
	}
	a.flags |= sawStat
	return &recNode{n, r, path, a}
}

func (n *recNode) Lookup(name string) (Node, error) {
	c, err := n.Node.Lookup(name)
	path := join(n.path, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && validName(name) {
			n.r.seen[path] = &asked{}
		}
		return nil, err
	}
	return n.r.node(path, c), nil
}

func (n *recNode) ReadDir() ([]Dirent, error) {
	n.a.flags |= sawList
	return n.Node.ReadDir()
}

func (n *recNode) Readlink() (string, error) {
	n.a.flags |= sawLink
	return n.Node.Readlink()
}

func (n *recNode) Open() (File, error) {
	n.a.flags |= sawRead
	return n.Node.Open()
}

func (n *recNode) Xattrs() ([]Xattr, error) {
	n.a.flags |= sawXattr
	return n.Node.Xattrs()
}

// ContentDigest implements contentNode.
func (n *recNode) ContentDigest() (string, error) {
	c, ok := n.Node.(contentNode)
	if !ok {
		return "", fmt.Errorf("%s: content without a digest", n.path)
	}
	return c.ContentDigest()
}

// Observed implements Layer.
func (r *recorded) Observed() ([]Observation, error) {
	var out []Observation
	for _, p := range sortedKeys(r.seen) {
		a := r.seen[p]
		if a.n == nil {
			out = append(out, Observation{Path: p, Kind: Missing})
			continue
		}
		for _, kind := range kindsOf(a.flags) {
			o, err := observe(a.n, p, kind, r.epoch)
			if err != nil {
				return nil, fmt.Errorf("observed: %w", err)
			}
			out = append(out, o)
		}
	}
	sortObservations(out)
	return out, nil
}
