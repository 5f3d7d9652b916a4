// Package seccomp compiles the policy table into the BPF program that decides
// in the kernel which system calls stop for the supervisor.
//
// Cost: a call that the filter allows should cost next to nothing. Since Linux
// 5.11 the kernel runs a new filter once per number with only architecture and
// number known (seccomp_is_const_allow in kernel/seccomp.c) and keeps a bitmap
// of those that end in ALLOW; they never run the program again. That emulation
// gives up at an instruction other than loads of these two words, jumps on
// constants and AND. So rows without argument tests must be reached by such
// instructions alone: the number is searched in a balanced tree of JGE, and
// arguments are loaded only in the leaves that test them. Those leaves are
// entered after at most ten comparisons, by the JIT in a few nanoseconds.
//
// What is refused must be reported, so it stops; but for a call that every
// program tries (rows with Deny), which the filter answers. Without a tracer SECCOMP_RET_TRACE fails with ENOSYS,
// so a process that lost its supervisor can do nothing either.
package seccomp

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/syscalls"
)

// The data of a SECCOMP_RET_TRACE stop (PTRACE_GETEVENTMSG): the number of the
// call, or one of these.
const (
	DataForeign = 0xfffe // not the x86-64 ABI: int 0x80, 32-bit code
	DataX32     = 0xfffd // the x32 ABI: bit 30 of the number is set
	DataUnknown = 0xfffc // a number above the table
)

const (
	retAllow = 0x7fff0000 // SECCOMP_RET_ALLOW
	retTrace = 0x7ff00000 // SECCOMP_RET_TRACE, data in the lower 16 bits
	retErrno = 0x00050000 // SECCOMP_RET_ERRNO, errno in the lower 16 bits

	x32Bit = 0x40000000 // __X32_SYSCALL_BIT

	// maxProgram is BPF_MAXINSNS of linux/bpf_common.h.
	maxProgram = 4096

	// Offsets in struct seccomp_data.
	offNr   = 0
	offArch = 4
	offIP   = 8
	offArgs = 16
)

// Fast lets calls of the guest's fast paths through (package fastpath).
type Fast struct {
	Lo, Hi uint32            // instruction pointers Lo <= ip < Hi are in their code
	Serves func(nr int) bool // the calls that are made there
	// Only says of some of them with which arguments they may be.
	Only map[int]syscalls.Cond
	// At are calls that are let through from other addresses.
	At map[int]Range
	// Mapped are the calls whose argument Mapped[nr] has Magic as its upper
	// half when the code that maps the region makes them.
	Mapped map[int]int
	Magic  uint32
}

// Range is the addresses Lo <= ip < Hi.
type Range struct{ Lo, Hi uint32 }

// from appends what comes before allow, which ends in a decision: it is left out for
// calls from elsewhere.
func (r Range) from(code, allow []unix.SockFilter) []unix.SockFilter {
	n := uint8(len(allow))
	code = append(code,
		load(offIP+4), jump(unix.BPF_JEQ, 0, 0, 3+n),
		load(offIP), jump(unix.BPF_JGE, r.Lo, 0, 1+n),
		jump(unix.BPF_JGE, r.Hi, n, 0))
	return append(code, allow...)
}

// rules appends what comes before a row's own decision.
func (f *Fast) rules(code []unix.SockFilter, nr int) []unix.SockFilter {
	if f == nil {
		return code
	}
	if f.Serves(nr) {
		allow := []unix.SockFilter{ret(retAllow)}
		if c, ok := f.Only[nr]; ok {
			allow, _ = ruleCode(nil, syscalls.Rule{If: []syscalls.Cond{c}}, retAllow)
		}
		code = Range{f.Lo, f.Hi}.from(code, allow)
	}
	if r, ok := f.At[nr]; ok {
		code = r.from(code, []unix.SockFilter{ret(retAllow)})
	}
	if arg, ok := f.Mapped[nr]; ok {
		code = append(code, load(uint32(offArgs+8*arg+4)), jump(unix.BPF_JEQ, f.Magic, 0, 1), ret(retAllow))
	}
	return code
}

// errRows is returned for a table that does not cover 0..n in order.
var errRows = errors.New("rows are not numbered from 0 without gaps")

// Compile gives the filter for rows, which must be complete and sorted by
// number. fast may be nil. The caller installs it with NO_NEW_PRIVS and without
// TSYNC.
func Compile(rows []syscalls.Row, fast *Fast) ([]unix.SockFilter, error) {
	leaves, err := leavesOf(rows, fast)
	if err != nil {
		return nil, fmt.Errorf("compile filter: %w", err)
	}
	prog := append(make([]unix.SockFilter, 0, maxProgram),
		load(offArch),
		jump(unix.BPF_JEQ, unix.AUDIT_ARCH_X86_64, 1, 0),
		ret(retTrace|DataForeign),
		load(offNr),
	)
	prog = tree(prog, leaves)
	if len(prog) > maxProgram {
		return nil, fmt.Errorf("compile filter: %d instructions, the kernel takes %d", len(prog), maxProgram)
	}
	return prog, nil
}

// leaf is the code for all numbers from lo up to the next leaf's lo.
type leaf struct {
	lo   uint32
	code []unix.SockFilter
}

// leavesOf makes one leaf of each run of numbers with the same code.
func leavesOf(rows []syscalls.Row, fast *Fast) ([]leaf, error) {
	ls := make([]leaf, 0, len(rows)+3)
	all := make([]unix.SockFilter, 0, maxProgram) // the code of all leaves
	lastAllows := false
	for i := range rows {
		r := &rows[i]
		if r.Nr != i {
			return nil, fmt.Errorf("row %d (%s): %w", i, r.Name, errRows)
		}
		allows := r.Filter.AlwaysAllows()
		if allows && lastAllows {
			continue
		}
		lastAllows = allows
		start := len(all)
		if !allows {
			all = fast.rules(all, i)
		}
		var err error
		if all, err = leafCode(all, r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		ls = append(ls, leaf{uint32(i), all[start:]})
	}
	if len(rows) == 0 || len(rows) > DataUnknown {
		return nil, errRows
	}
	// A negative number (top bit) is no x32 call but nonsense.
	return append(ls,
		leaf{uint32(len(rows)), []unix.SockFilter{ret(retTrace | DataUnknown)}},
		leaf{x32Bit, []unix.SockFilter{ret(retTrace | DataX32)}},
		leaf{2 * x32Bit, []unix.SockFilter{ret(retTrace | DataUnknown)}},
	), nil
}

// tree appends a balanced search: numbers below the middle leaf go left.
func tree(out []unix.SockFilter, ls []leaf) []unix.SockFilter {
	if len(ls) == 1 {
		return append(out, ls[0].code...)
	}
	mid := len(ls) / 2
	at := len(out)
	out = tree(append(out, jump(unix.BPF_JGE, ls[mid].lo, 0, 0)), ls[:mid])
	if left := len(out) - at - 1; left <= 255 {
		out[at].Jt = uint8(left)
	} else { // conditional jumps reach 255 instructions, JA any
		out[at].Jf = 1
		out = slices.Insert(out, at+1, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(left)})
	}
	return tree(out, ls[mid:])
}
