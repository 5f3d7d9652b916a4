package cpusite

import "unsafe"

// scan is the first place of n bytes at b with 0f and then a2, 01 or c7, or -1
// (scan_amd64.s). Every byte of a program's text is looked at before it runs, and
// 0f alone is everywhere.
//
//go:noescape
func scan(b *byte, n int) int

// next is the first place in b where an instruction that looks at the CPU may
// begin, or -1.
func next(b []byte) int {
	if len(b) == 0 {
		return -1
	}
	return scan(unsafe.SliceData(b), len(b))
}
