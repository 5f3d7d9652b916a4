package seccomp

import (
	"errors"

	"golang.org/x/sys/unix"

	"dettrace/internal/syscalls"
)

var errRule = errors.New("rule too long or argument out of range")

// leafCode appends the code that decides one call once its number is known.
func leafCode(code []unix.SockFilter, r *syscalls.Row) (_ []unix.SockFilter, err error) {
	if r.Filter.AlwaysAllows() {
		return append(code, ret(retAllow)), nil
	}
	for _, rule := range r.Filter.Rules {
		if code, err = ruleCode(code, rule, action(rule.Action, r)); err != nil {
			return nil, err
		}
	}
	return append(code, ret(action(r.Filter.Default, r))), nil
}

func action(a syscalls.Action, r *syscalls.Row) uint32 {
	switch a {
	case syscalls.Allow:
		return retAllow
	case syscalls.Deny:
		return retErrno | uint32(r.Errno)
	}
	return retTrace | uint32(r.Nr)
}

// ruleCode appends what returns act if all conditions hold and falls through otherwise.
func ruleCode(code []unix.SockFilter, r syscalls.Rule, act uint32) ([]unix.SockFilter, error) {
	start := len(code)
	for _, c := range r.If {
		if c.Arg < 0 || c.Arg > 5 {
			return nil, errRule
		}
		off := uint32(offArgs + 8*c.Arg)
		code = half(code, off, uint32(c.Mask), uint32(c.Value))
		code = half(code, off+4, uint32(c.Mask>>32), uint32(c.Value>>32))
	}
	code = append(code, ret(act))
	for i := start; i < len(code); i++ {
		if isTest(code[i]) { // on a mismatch skip the rest of the rule
			skip := len(code) - i - 1
			if skip > 255 {
				return nil, errRule
			}
			code[i].Jf = uint8(skip)
		}
	}
	return code, nil
}

// half appends a test of one 32-bit half of an argument (x86-64 is little endian). A
// half that is not looked at needs no code, unless no value could match.
func half(code []unix.SockFilter, off, mask, value uint32) []unix.SockFilter {
	switch {
	case mask == 0 && value == 0:
		return code
	case mask == 1<<32-1:
		return append(code, load(off), jump(unix.BPF_JEQ, value, 0, 0))
	}
	return append(code,
		load(off),
		unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask},
		jump(unix.BPF_JEQ, value, 0, 0),
	)
}

func isTest(f unix.SockFilter) bool { return f.Code == unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K }

func load(off uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
}

func jump(op uint16, k uint32, jt, jf uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: jt, Jf: jf, K: k}
}

func ret(v uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v}
}
