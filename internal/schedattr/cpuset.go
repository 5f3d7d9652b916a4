package schedattr

import (
	"encoding/binary"
	"math/bits"
)

// MaxCPUs is how many CPUs a machine can be declared to have.
const MaxCPUs = 1024

// CPUSet is a set of CPUs.
type CPUSet [MaxCPUs / 64]uint64

// FirstCPUs is the set of the first n CPUs.
func FirstCPUs(n int) (s CPUSet) {
	for i := range min(n, MaxCPUs) {
		s[i/64] |= 1 << (i % 64)
	}
	return s
}

// CPUSetOf reads a set from a guest's memory; bits beyond it are missing.
func CPUSetOf(b []byte) (s CPUSet) {
	var full [MaxCPUs / 8]byte
	copy(full[:], b)
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(full[8*i:])
	}
	return s
}

// Bytes is how long the mask of a machine with n CPUs is.
func Bytes(n int) int { return (max(n, 1) + 63) / 64 * 8 }

// Append adds the set as the kernel has it on a machine with n CPUs.
func (s *CPUSet) Append(out []byte, n int) []byte {
	for _, w := range s[:Bytes(n)/8] {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	return out
}

// And is the intersection.
func (s CPUSet) And(o CPUSet) CPUSet {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// Has reports whether the set has a CPU.
func (s *CPUSet) Has(cpu int) bool { return s[cpu/64]>>(cpu%64)&1 != 0 }

// First is the lowest CPU of the set, where a thread is said to run; 0 if it is empty.
func (s *CPUSet) First() int {
	for i, w := range s {
		if w != 0 {
			return 64*i + bits.TrailingZeros64(w)
		}
	}
	return 0
}
