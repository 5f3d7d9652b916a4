package initproc

import (
	"bytes"
	"unsafe"
)

// code is the program's text (init_amd64.s). It is copied, never called.
//
//lint:ignore U1000 assembly takes its address
func code()

// codeAddr is the address of code. A Go function value would give that of a
// wrapper between calling conventions.
func codeAddr() *byte

// endMark follows the last instruction of code.
const endMark = "\x0f\x0bdt-end"

// text copies the program's text out of our own binary. It reads byte by
// byte up to the mark and so never beyond the symbol.
func text() []byte {
	p := codeAddr()
	for n := len(endMark); ; n++ {
		if b := unsafe.Slice(p, n); bytes.HasSuffix(b, []byte(endMark)) {
			return bytes.Clone(b[:n-len(endMark)])
		}
	}
}
