package seccomp

import "golang.org/x/sys/unix"

// Watch is a further filter, for threads that keep what their descriptors are (package
// fastpath): the calls nrs, at most 100, stop with their number as data, unless the
// instruction pointer is in lo <= ip < hi. Of two filters the stricter decides, and of two
// that say TRACE the newer one's data is taken: so this one says nothing of other ABIs,
// whose numbers mean other calls. For all other calls it is constant, so that the
// kernel still runs neither where the first allows them.
func Watch(lo, hi uint32, nrs []int) []unix.SockFilter {
	const tail = 9 // instructions behind the comparisons
	n := uint8(len(nrs))
	p := []unix.SockFilter{load(offArch), jump(unix.BPF_JEQ, unix.AUDIT_ARCH_X86_64, 0, n+tail), load(offNr)}
	for i, nr := range nrs {
		p = append(p, jump(unix.BPF_JEQ, uint32(nr), n-1-uint8(i), 0))
	}
	p[len(p)-1].Jf = tail - 1
	return append(p,
		load(offIP+4), jump(unix.BPF_JEQ, 0, 0, 3),
		load(offIP), jump(unix.BPF_JGE, hi, 1, 0), jump(unix.BPF_JGE, lo, 3, 0),
		load(offNr), unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_OR | unix.BPF_K, K: retTrace}, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_A},
		ret(retAllow),
	)
}
