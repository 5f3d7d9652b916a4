package fastpath

// A library lies at other addresses in each program. What was found once in a
// file is not looked for again: the same bytes make the same site wherever they
// are mapped.

// place is a site known by where it is in its file.
type place struct {
	off  uint64 // of the instruction
	site *Site
}

// few is how many stubs may be taken before only those are made that are needed now.
const few = maxStubs / 2

// Place notes that s was found at offset off of file ino.
func (r *Region) Place(s *Site, ino, off uint64) {
	if r.places == nil {
		r.places = map[uint64][]place{}
	}
	r.places[ino] = append(r.places[ino], place{off, s})
}

// Unseen reports whether there is no site at addr and no stop was counted.
func (r *Region) Unseen(addr uint64) bool {
	return !r.random && r.sites[addr] == nil && r.seen[addr] == 0
}

// Knows reports whether sites of file ino are known.
func (r *Region) Knows(ino uint64) bool { return len(r.places[ino]) > 0 }

// Spread makes the sites known of file ino, which is mapped such that its offset 0
// would be at base, and its part from offset from to offset to is there. Where
// stubs are scarce it makes only the one at offset off. Whether memory has their
// bytes is for Known to say.
func (r *Region) Spread(ino, base, from, to, off uint64) {
	for _, p := range r.places[ino] {
		s := p.site
		head := s.Addr - s.Start
		if p.off < from+head || p.off-head+uint64(len(s.Old)) > to || r.sites[base+p.off] != nil || r.stubs >= few && p.off != off {
			continue
		}
		if n := s.at(base + p.off); n != nil && r.newStub(n, n.kind) {
			r.enterSite(n)
		}
	}
}

// at is s for the same bytes elsewhere: with the instruction at addr.
func (s *Site) at(addr uint64) *Site {
	switch s.kind {
	case fixedCall:
		return &Site{Addr: addr, Start: addr - movSize, Old: s.Old, kind: s.kind}
	case headCall:
		return &Site{Addr: addr, Start: addr - uint64(len(s.Old)), Old: s.Old, kind: s.kind, first: s.first}
	}
	n := tailSite(addr, 0, s.Old, s.kind)
	if n == nil || len(n.Old) != len(s.Old) {
		return nil
	}
	return n
}
