package kernel

// inodeMap gives kernel objects (pipes, sockets, ...) numbers of their own, in
// the order in which the guest first looks at them. The kernel's come from a
// counter of the whole host.
type inodeMap struct {
	m    map[inodeKey]uint64
	next uint64
}

type inodeKey struct {
	kind string
	ino  uint64
}

func (m *inodeMap) init() { m.m, m.next = map[inodeKey]uint64{}, 10000 }

func (m *inodeMap) get(kind string, ino uint64) uint64 {
	key := inodeKey{kind, ino}
	if v, ok := m.m[key]; ok {
		return v
	}
	m.next++
	m.m[key] = m.next
	return m.next
}
