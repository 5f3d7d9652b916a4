package detfs

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"dettrace/internal/cpusite"
	"dettrace/internal/stopwatch"
)

// coder writes values, or reads them, in the order in which they are named: one
// function per type says it for both directions. The calls of every run cross the
// process border like this, because encoding/json first builds a plan of each type
// by reflection, which is a tenth of a short run.
//
// Where it reads, after an error all that it gives is empty. An empty list is nil.
type coder struct {
	b    []byte // what was written, or what is left to read
	read bool
	bad  bool
}

// coded is a value with such a function.
type coded interface{ code(c *coder) }

// errWire says that a message is not what a coder writes.
var errWire = errors.New("detfs: control: bad message")

// encode appends v to b.
func encode(b []byte, v coded) []byte {
	c := coder{b: b}
	v.code(&c)
	return c.b
}

// decode is the inverse of encode. Bytes share b's memory.
func decode(b []byte, v coded) error {
	c := coder{b: b, read: true}
	if v.code(&c); c.bad || len(c.b) > 0 {
		return errWire
	}
	return nil
}

// fail ends reading.
func (c *coder) fail() { c.b, c.bad = nil, true }

// number carries a number of any type.
func number[T ~int | ~int64 | ~uint8 | ~uint32 | ~uint64 | ~uintptr](c *coder, v *T) {
	if !c.read {
		c.b = binary.AppendUvarint(c.b, uint64(*v))
		return
	}
	n, size := binary.Uvarint(c.b)
	if size <= 0 || uint64(T(n)) != n {
		c.fail()
		return
	}
	*v, c.b = T(n), c.b[size:]
}

// bits carries up to eight flags.
func (c *coder) bits(flags ...*bool) {
	var b byte
	for i, f := range flags {
		if *f {
			b |= 1 << i
		}
	}
	number(c, &b)
	for i, f := range flags {
		*f = b>>i&1 != 0
	}
}

// text carries a string or bytes.
func text[T string | []byte](c *coder, v *T) {
	n := len(*v)
	if c.count(&n); !c.read {
		c.b = append(c.b, *v...)
		return
	}
	var none T
	if *v = none; n > 0 {
		*v = T(slices.Clip(c.b[:n]))
	}
	c.b = c.b[n:]
}

// count carries a number of things of at least one byte each.
func (c *coder) count(n *int) {
	number(c, n)
	if c.read && (*n < 0 || *n > len(c.b)) {
		c.fail()
	}
	if c.bad {
		*n = 0
	}
}

// list carries a slice.
func list[T any](c *coder, l *[]T, each func(c *coder, v *T)) {
	n := len(*l)
	if c.count(&n); c.read {
		if *l = nil; n > 0 {
			*l = make([]T, n)
		}
	}
	for i := range *l {
		each(c, &(*l)[i])
	}
}

// rare carries what few runs have, as JSON, or nothing if none is true.
func (c *coder) rare(v any, none bool) {
	var b []byte
	if !c.read && !none {
		b, _ = json.Marshal(v) // these types have an encoding
	}
	if text(c, &b); c.read && len(b) > 0 && json.Unmarshal(b, v) != nil {
		c.fail()
	}
}

func (r *call) code(c *coder) {
	text(c, &r.Op)
	text(c, &r.Pattern)
	c.bits(&r.Tar.Changes, &r.Full)
	list(c, &r.Tar.Under, text)
	list(c, &r.Tar.Paths, text)
	number(c, &r.Ino)
	for _, v := range []*int64{&r.UID, &r.GID, &r.Offset, &r.Size, &r.At, &r.Changed} {
		number(c, v)
	}
	has := r.Config != nil
	if c.bits(&has); !has {
		return
	}
	if c.read {
		r.Config = &Config{}
	}
	r.Config.code(c)
}

func (g *Config) code(c *coder) {
	list(c, &g.Mounts, func(c *coder, m *Mount) {
		for _, s := range []*string{&m.Guest, &m.Ref, &m.Store, &m.Label} {
			text(c, s)
		}
		c.bits(&m.KeepMtime, &m.FollowLinks)
		number(c, &m.Owner)
		number(c, &m.Older)
		number(c, &m.HostOrder)
		list(c, &m.Hide, text)
	})
	list(c, &g.Dirs, func(c *coder, d *Dir) {
		text(c, &d.Path)
		number(c, &d.Mode)
		number(c, &d.UID)
		number(c, &d.GID)
		number(c, &d.Volume)
		c.bits(&d.Fresh, &d.Extra)
	})
	files := func(c *coder, l *[]StaticFile) {
		list(c, l, func(c *coder, f *StaticFile) {
			c.bits(&f.Link, &f.Dir, &f.Hidden, &f.Extra, &f.Before)
			number(c, &f.Mode)
			number(c, &f.Serial)
			text(c, &f.Path)
			text(c, &f.Door)
			text(c, &f.Content)
		})
	}
	files(c, &g.Files)
	list(c, &g.Static, func(c *coder, t *StaticTree) {
		text(c, &t.Name)
		files(c, &t.Files)
		text(c, &t.Lines)
	})
	number(c, &g.Epoch)
	number(c, &g.MaxBytes)
	text(c, &g.Resume)
	text(c, &g.StateDir)
	text(c, &g.Digests)
	c.bits(&g.SingleID, &g.Profile, &g.HostTime)
	c.rare(&g.Vary, len(g.Vary) == 0)
}

func (a *answer) code(c *coder) {
	text(c, &a.Err)
	text(c, &a.Hint)
	text(c, &a.Body)
	number(c, &a.Errno)
}

func (s *Summary) code(c *coder) {
	list(c, &s.Layers, func(c *coder, l *LayerSummary) {
		for _, v := range []*string{&l.Guest, &l.Ref, &l.Label, &l.Changed} {
			text(c, v)
		}
		c.bits(&l.Portable)
	})
	text(c, &s.ChangesDigest)
	number(c, &s.Changed)
	list(c, &s.Doors, text)
	c.rare(&s.Varied, len(s.Varied) == 0)
	names := slices.Sorted(maps.Keys(s.Requests))
	list(c, &names, func(c *coder, name *string) {
		text(c, name)
		v := s.Requests[*name]
		number(c, &v.Count)
		if number(c, &v.NS); c.read {
			if s.Requests == nil {
				s.Requests = map[string]stopwatch.Span{}
			}
			s.Requests[*name] = v
		}
	})
}

// sites is the answer of cpuSites.
type sites struct{ *cpusite.Result }

func (s sites) code(c *coder) {
	list(c, &s.Sites, func(c *coder, v *cpusite.Site) {
		number(c, &v.Off)
		number(c, &v.Addr)
		number(c, &v.Op)
		number(c, &v.Size)
		number(c, &v.Before)
		text(c, &v.Old)
	})
	number(c, &s.Start)
	list(c, &s.Unproved, func(c *coder, p *cpusite.Place) {
		number(c, &p.Off)
		number(c, &p.Op)
	})
	c.bits(&s.BuildID)
}
