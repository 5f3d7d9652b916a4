package fastpath

import (
	"bytes"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// code is the region's text (code_amd64.s). It is copied, never called.
//
//lint:ignore U1000 assembly takes its address
func code()

// codeAddr is the address of code. A Go function value would give that of a
// wrapper between calling conventions.
func codeAddr() *byte

// tsc is the code for rdtsc (tsc_amd64.s). It is copied, never called.
//
//lint:ignore U1000 assembly takes its address
func tsc()

func tscAddr() *byte

// cpuid is the code for cpuid (cpuid_amd64.s). It is copied, never called.
//
//lint:ignore U1000 assembly takes its address
func cpuid()

func cpuidAddr() *byte

// clocks is the code for clocks (clock_amd64.s). It is copied, never called.
//
//lint:ignore U1000 assembly takes its address
func clocks()

func clocksAddr() *byte

// endMark follows the last instruction of code.
const endMark = "\x0f\x0bdt-end"

// text copies text of the region, which begins at p, out of our own binary. It
// reads byte by byte up to the mark and so never beyond the symbol.
func text(p *byte) []byte {
	for n := len(endMark); ; n++ {
		if b := unsafe.Slice(p, n); bytes.HasSuffix(b, []byte(endMark)) {
			return bytes.Clone(b[:n-len(endMark)])
		}
	}
}

// state is the page that the guest shares with us.
type state struct{ mem []byte }

// word is one 8-byte field.
func (s state) word(off int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&s.mem[off]))
}

// mapFile maps the region's file: text and state.
func mapFile(f *os.File) ([]byte, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, FileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the fast paths: %w", err)
	}
	return mem, nil
}
