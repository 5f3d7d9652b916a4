package cpusite

import "encoding/binary"

// readFrames reads .eh_frame record by record, for static programs that have no
// table of it. What is not understood is left out.
func (x *file) readFrames() (list spans) {
	const most = 64 << 20
	sec := x.sections().Section(".eh_frame")
	if sec == nil || sec.Size > most {
		return nil
	}
	b, ok := x.at(sec.Addr, int(sec.Size))
	if !ok {
		return nil
	}
	relative := map[int]bool{} // CIEs whose addresses are 4 bytes relative to their place
	for at := 0; at+8 <= len(b); {
		n := int(binary.LittleEndian.Uint32(b[at:]))
		if n < 4 || n > len(b)-at-4 {
			break // the end, or a record of more than 4 GB
		}
		body := b[at+8 : at+4+n]
		switch id := int(binary.LittleEndian.Uint32(b[at+4:])); {
		case id == 0:
			relative[at] = pcRelative(body)
		case relative[at+4-id] && len(body) >= 8:
			start := sec.Addr + uint64(at+8) + uint64(int64(int32(binary.LittleEndian.Uint32(body))))
			list = append(list, span{start, start + uint64(binary.LittleEndian.Uint32(body[4:]))})
		}
		at += 4 + n
	}
	list.sort()
	return list
}

// pcRelative reports whether a CIE, from its version on, says that addresses are
// DW_EH_PE_pcrel|DW_EH_PE_sdata4, as all compilers do.
func pcRelative(b []byte) bool {
	const want = 0x1b
	take := func(n int) []byte {
		if n < 0 || n > len(b) {
			n = len(b)
		}
		out := b[:n]
		b = b[n:]
		return out
	}
	number := func() int { // LEB128, small
		v := 0
		for shift := 0; shift < 28; shift += 7 {
			c := take(1)
			if len(c) == 0 {
				break
			}
			v |= int(c[0]&0x7f) << shift
			if c[0]&0x80 == 0 {
				break
			}
		}
		return v
	}
	take(1) // version
	var augmentation string
	for c := take(1); len(c) == 1 && c[0] != 0; c = take(1) {
		augmentation += string(c)
	}
	if augmentation == "" || augmentation[0] != 'z' {
		return false
	}
	for range 4 { // code and data alignment, return address, size of what follows
		number()
	}
	for _, c := range augmentation[1:] {
		switch c {
		case 'R':
			e := take(1)
			return len(e) == 1 && e[0] == want
		case 'L':
			take(1)
		case 'P':
			size := map[byte]int{0x00: 8, 0x03: 4, 0x04: 8, 0x0b: 4, 0x0c: 8}
			if e := take(1); len(e) == 1 {
				take(size[e[0]&0x0f])
			}
		case 'S', 'B':
		default:
			return false
		}
	}
	return false
}
