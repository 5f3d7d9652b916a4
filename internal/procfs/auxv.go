package procfs

import "encoding/binary"

// Types of auxv entries, getauxval(3); the numbers are those of
// include/uapi/linux/auxvec.h and arch/x86/include/uapi/asm/auxvec.h.
const (
	atHWCAP       = 16
	atHWCAP2      = 26
	atRseqSize    = 27
	atRseqAlign   = 28
	atHWCAP3      = 29
	atHWCAP4      = 30
	atMinSigStack = 51
)

// What the guest sees of the CPU in its auxv.
const (
	hwcap       = 0x078bfbff // cpuid leaf 1, EDX, of any x86-64-v2 CPU
	hwcap2      = 2          // FSGSBASE
	minSigStack = 3632       // largest signal frame with AVX-512; the host's is never larger but with AMX
)

// auxv implements /proc/pid/auxv: pairs of 64-bit words.
func auxv(_ *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	if len(raw)%16 != 0 {
		return nil, false
	}
	out := make([]byte, 0, len(raw))
	for ; len(raw) > 0; raw = raw[16:] {
		key, v := binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])
		switch key {
		case atHWCAP:
			v = hwcap
		case atHWCAP2:
			v = hwcap2
		case atMinSigStack:
			v = minSigStack
		case atRseqSize, atRseqAlign, atHWCAP3, atHWCAP4:
			continue
		}
		out = binary.LittleEndian.AppendUint64(out, key)
		out = binary.LittleEndian.AppendUint64(out, v)
	}
	return out, true
}
