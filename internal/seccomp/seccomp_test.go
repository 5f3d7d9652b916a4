package seccomp

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/syscalls"
)

// data is struct seccomp_data as 32-bit words: nr, arch, ip (2), args (6 x 2).
type data [16]uint32

func newData(arch, nr uint32, args [6]uint64) (d data) {
	d[0], d[1] = nr, arch
	for i, a := range args {
		d[4+2*i], d[5+2*i] = uint32(a), uint32(a>>32)
	}
	return d
}

// run interprets a program as the kernel would. constant reports that only
// number and architecture were looked at, by the instructions that
// seccomp_is_const_allow understands.
func run(t *testing.T, prog []unix.SockFilter, d data) (result uint32, constant bool) {
	t.Helper()
	constant = true
	var acc uint32
	for pc := 0; pc < len(prog); pc++ {
		f := prog[pc]
		switch f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if f.K%4 != 0 || f.K >= 64 {
				t.Fatalf("load at %d", f.K)
			}
			acc = d[f.K/4]
			constant = constant && f.K <= 4
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= f.K
		case unix.BPF_ALU | unix.BPF_OR | unix.BPF_K:
			acc, constant = acc|f.K, false
		case unix.BPF_RET | unix.BPF_A:
			return acc, false
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(f.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			pc += branch(f, acc == f.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			pc += branch(f, acc >= f.K)
		case unix.BPF_RET | unix.BPF_K:
			return f.K, constant
		default:
			t.Fatalf("instruction %d: code %#x", pc, f.Code)
		}
	}
	t.Fatal("ran off the end")
	return 0, false
}

func branch(f unix.SockFilter, taken bool) int {
	if taken {
		return int(f.Jt)
	}
	return int(f.Jf)
}

func want(r *syscalls.Row, args [6]uint64) uint32 {
	switch r.Filter.Decide(args) {
	case syscalls.Allow:
		return unix.SECCOMP_RET_ALLOW
	case syscalls.Deny:
		return unix.SECCOMP_RET_ERRNO | uint32(r.Errno)
	}
	return unix.SECCOMP_RET_TRACE | uint32(r.Nr)
}

// candidates are argument values at the edges of a row's conditions.
func candidates(r *syscalls.Row, rng *rand.Rand) [][6]uint64 {
	var out [][6]uint64
	for n := 0; n < 40; n++ {
		var a [6]uint64
		for i := range a {
			a[i] = rng.Uint64() >> rng.UintN(64)
		}
		out = append(out, a)
	}
	for _, rule := range r.Filter.Rules {
		var hit [6]uint64
		for _, c := range rule.If {
			hit[c.Arg] = c.Value
		}
		out = append(out, hit)
		for _, c := range rule.If {
			for bit := 0; bit < 64; bit++ {
				near := hit
				near[c.Arg] ^= 1 << bit
				out = append(out, near)
			}
		}
	}
	return out
}

func TestProgramAgreesWithTable(t *testing.T) {
	rows := syscalls.Table()
	prog, err := Compile(rows, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d instructions", len(prog))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		r := &rows[i]
		for _, args := range candidates(r, rng) {
			got, constant := run(t, prog, newData(unix.AUDIT_ARCH_X86_64, uint32(i), args))
			if w := want(r, args); got != w {
				t.Fatalf("%s%#x: %#x, want %#x", r.Name, args, got, w)
			}
			if r.Filter.AlwaysAllows() && !constant {
				t.Fatalf("%s: the kernel's allow bitmap would not take it", r.Name)
			}
		}
	}
}

func TestForeignCalls(t *testing.T) {
	rows := syscalls.Table()
	prog, err := Compile(rows, nil)
	if err != nil {
		t.Fatal(err)
	}
	const trace = unix.SECCOMP_RET_TRACE
	tests := []struct {
		name     string
		arch, nr uint32
		want     uint32
	}{
		{"int 0x80 getpid", unix.AUDIT_ARCH_I386, 20, trace | DataForeign},
		{"int 0x80, number of a native call", unix.AUDIT_ARCH_I386, unix.SYS_GETPID, trace | DataForeign},
		{"another machine", unix.AUDIT_ARCH_AARCH64, unix.SYS_GETPID, trace | DataForeign},
		{"x32 getpid", unix.AUDIT_ARCH_X86_64, x32Bit | unix.SYS_GETPID, trace | DataX32},
		{"x32 last", unix.AUDIT_ARCH_X86_64, 2*x32Bit - 1, trace | DataX32},
		{"newest", unix.AUDIT_ARCH_X86_64, syscalls.Newest, trace | syscalls.Newest},
		{"above the newest", unix.AUDIT_ARCH_X86_64, syscalls.Newest + 1, trace | DataUnknown},
		{"below x32", unix.AUDIT_ARCH_X86_64, x32Bit - 1, trace | DataUnknown},
		{"negative", unix.AUDIT_ARCH_X86_64, 1<<32 - 1, trace | DataUnknown},
		{"most negative", unix.AUDIT_ARCH_X86_64, 1 << 31, trace | DataUnknown},
	}
	for _, tt := range tests {
		if got, _ := run(t, prog, newData(tt.arch, tt.nr, [6]uint64{})); got != tt.want {
			t.Errorf("%s: %#x, want %#x", tt.name, got, tt.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	rows := syscalls.Table()
	tests := map[string][]syscalls.Row{
		"no rows":       nil,
		"a gap":         append(append([]syscalls.Row{}, rows[:7]...), rows[8:]...),
		"not sorted":    {rows[1], rows[0]},
		"bad argument":  {{Filter: syscalls.Filter{Default: syscalls.Trace, Rules: []syscalls.Rule{{If: []syscalls.Cond{{Arg: 6}}}}}}},
		"too long rule": {{Filter: syscalls.Filter{Default: syscalls.Trace, Rules: []syscalls.Rule{{If: make([]syscalls.Cond, 0, 100)}, longRule()}}}},
	}
	for name, rows := range tests {
		if _, err := Compile(rows, nil); err == nil {
			t.Errorf("%s: compiled", name)
		}
	}
}

func longRule() (r syscalls.Rule) {
	for i := 0; i < 60; i++ {
		r.If = append(r.If, syscalls.Cond{Arg: 0, Mask: ^uint64(1), Value: 2})
	}
	return r
}

// What the fast paths may call with some arguments, or from some addresses only is let
// through with these and from there, and nowhere else.
func TestOnly(t *testing.T) {
	const lo, hi, fork = 0x1000, 0x2000, uint64(unix.SIGCHLD)
	const clone, vfork = unix.SYS_CLONE, unix.SYS_VFORK
	prog, err := Compile(syscalls.Table(), &Fast{Lo: lo, Hi: hi, Serves: func(nr int) bool { return nr == clone },
		Only: map[int]syscalls.Cond{clone: {Mask: ^uint64(unix.CLONE_CHILD_SETTID), Value: fork}},
		At:   map[int]Range{vfork: {0x3000, 0x4000}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		nr        uint32
		ip, flags uint64
		lets      bool
	}{
		{clone, lo, fork, true}, {clone, hi - 1, fork, true}, {clone, lo, fork | unix.CLONE_CHILD_SETTID, true},
		{clone, lo - 1, fork, false}, {clone, hi, fork, false}, {clone, 1<<32 + lo, fork, false}, {clone, 0x3000, fork, false},
		{clone, lo, fork | unix.CLONE_UNTRACED, false}, {clone, lo, fork | unix.CLONE_NEWUSER, false}, {clone, lo, 0, false}, {clone, lo, fork | 1<<40, false},
		{vfork, lo, 0, false}, {vfork, 0x2fff, 0, false}, {vfork, 0x3000, 0, true}, {vfork, 0x3fff, 0, true}, {vfork, 0x4000, 0, false}, {vfork, 1<<32 + 0x3000, 0, false},
	} {
		d := newData(unix.AUDIT_ARCH_X86_64, c.nr, [6]uint64{c.flags})
		d[offIP/4], d[offIP/4+1] = uint32(c.ip), uint32(c.ip>>32)
		if got, _ := run(t, prog, d); (got == retAllow) != c.lets {
			t.Errorf("call %d at %#x with %#x: %#x", c.nr, c.ip, c.flags, got)
		}
	}
}
