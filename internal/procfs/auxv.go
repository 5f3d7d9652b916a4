package procfs

import (
	"encoding/binary"

	"dettrace/internal/vdso"
)

// auxv implements /proc/pid/auxv. The kernel shows a copy of its own, made
// before the vector on the stack was mended, so it is mended here once more
// by the same rules: behind an empty argument list and environment it looks
// like the start of a stack.
func auxv(n *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) {
	if len(raw) == 0 {
		return raw, true // a zombie
	}
	const head = 3 * 8 // argc, end of argv, end of envp
	stack := append(make([]byte, head, head+len(raw)), raw...)
	a, err := vdso.FixAuxv(stack, 0, vdso.AuxvOpts{HWCAP: n.m.CPU.HWCAP(n.m.CPUs)})
	if err != nil {
		return nil, false
	}
	for _, p := range a.Patches {
		if p.Addr < head || p.Addr > uint64(len(stack)-8) {
			return nil, false
		}
		binary.LittleEndian.PutUint64(stack[p.Addr:], p.Value)
	}
	return stack[head:], true
}
