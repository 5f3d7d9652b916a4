package seccomp

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// Only the watched calls stop, of our ABI and made elsewhere, and what is decided of
// others hangs on their number alone.
func TestWatch(t *testing.T) {
	const lo, hi = 0x180000, 0x181000
	nrs := []int{3, 33, 292, 436}
	prog := Watch(lo, hi, nrs)
	if len(prog) > 16 {
		t.Errorf("%d instructions: the kernel package has no room for them", len(prog))
	}
	for nr := range uint32(500) {
		for ip, inside := range map[uint64]bool{lo: true, hi - 1: true, lo + 0x123: true, lo - 1: false, hi: false, 0x401000: false, 1<<32 | lo: false, 0x7ffff7fc1000: false} {
			for _, arch := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386} {
				d := newData(arch, nr, [6]uint64{})
				d[2], d[3] = uint32(ip), uint32(ip>>32)
				got, constant := run(t, prog, d)
				want, watched := uint32(retAllow), slices.Contains(nrs, int(nr)) && arch == unix.AUDIT_ARCH_X86_64
				if watched && !inside {
					want = retTrace | nr
				}
				if got != want || constant == watched {
					t.Fatalf("call %d, architecture %#x, at %#x: %#x, constant %v; want %#x", nr, arch, ip, got, constant, want)
				}
			}
		}
	}
	if got, _ := run(t, prog, newData(unix.AUDIT_ARCH_X86_64, 3|x32Bit, [6]uint64{})); got != retAllow {
		t.Errorf("a call of x32: %#x", got)
	}
}
