package fuse

import "encoding/binary"

// NewDirList makes a list with room for n bytes, for users without a Conn.
func NewDirList(n int, plus bool) *DirList { return &DirList{buf: make([]byte, n), plus: plus} }

// Entries decodes what was added: names and cookies.
func (l *DirList) Entries() (names []string, cookies []uint64) {
	for b := l.buf[:l.n]; len(b) > 0; {
		if l.plus {
			b = b[entrySize:]
		}
		n := int(binary.LittleEndian.Uint32(b[16:]))
		names = append(names, string(b[direntSize:direntSize+n]))
		cookies = append(cookies, binary.LittleEndian.Uint64(b[8:]))
		b = b[(direntSize+n+7)&^7:]
	}
	return names, cookies
}
