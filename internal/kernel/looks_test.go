package kernel

import (
	"testing"

	"dettrace/internal/ptrace"
)

func TestSetNumber(t *testing.T) {
	const old = 0x1111111111111111
	for _, c := range []struct {
		code []byte
		reg  func(*ptrace.Regs) *uint64
		want uint64
	}{
		{[]byte{0x0f, 0xc7, 0xf0}, func(r *ptrace.Regs) *uint64 { return &r.Rax }, 0x55667788},
		{[]byte{0x48, 0x0f, 0xc7, 0xf3}, func(r *ptrace.Regs) *uint64 { return &r.Rbx }, 0x1122334455667788},
		{[]byte{0x49, 0x0f, 0xc7, 0xf7}, func(r *ptrace.Regs) *uint64 { return &r.R15 }, 0x1122334455667788},
		{[]byte{0x66, 0x0f, 0xc7, 0xf1}, func(r *ptrace.Regs) *uint64 { return &r.Rcx }, 0x1111111111117788},
		{[]byte{0xf3, 0x0f, 0xc7, 0xfa}, func(r *ptrace.Regs) *uint64 { return &r.Rdx }, 0x55667788},
	} {
		var r ptrace.Regs
		*c.reg(&r) = old
		setNumber(&r, c.code, 0x1122334455667788)
		if got := *c.reg(&r); got != c.want {
			t.Errorf("% x: %#x, want %#x", c.code, got, c.want)
		}
	}
}

func TestEndsInCall(t *testing.T) {
	for _, c := range []struct {
		code string
		want bool
	}{
		{"\x90\x90\x90\xe8\x01\x02\x03\x04", true},
		{"\x90\x90\x90\x90\x90\x90\xff\xd0", true},
		{"\x90\x90\xff\x15\x01\x02\x03\x04", true},
		{"\x90\x90\x90\x90\x90\x90\xff\xe0", false}, // jmp
		{"\x90\x90\x90\x90\x90\x90\x90\x90", false},
	} {
		if got := endsInCall([]byte(c.code)); got != c.want {
			t.Errorf("% x: %v", c.code, got)
		}
	}
}
