package kernel

// inodeMap gives kernel objects (pipes, sockets, ...) numbers of their own, in
// the order in which the guest first looks at them. The kernel's come from a
// counter of the whole host.
//
// Files of procfs count by themselves: the kernel may forget and number them
// anew under memory pressure, which must not move the numbers of the others.
type inodeMap struct {
	m              map[inodeKey]uint64
	next, nextProc uint64
	nextCookie     uint64
	nextSocket     uint64 // SO_COOKIE
}

type inodeKey struct {
	kind string
	ino  uint64
}

func (m *inodeMap) init() {
	m.m, m.next, m.nextProc = map[inodeKey]uint64{}, 10000, 20000
}

func (m *inodeMap) get(kind string, ino uint64) uint64 {
	key := inodeKey{kind, ino}
	if v, ok := m.m[key]; ok {
		return v
	}
	n := &m.next
	switch kind {
	case "proc":
		n = &m.nextProc
	case "cookie":
		n = &m.nextCookie
	case "socket cookie":
		n = &m.nextSocket
	}
	*n++
	m.m[key] = *n
	return *n
}
