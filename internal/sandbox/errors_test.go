package sandbox

import (
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{stepError("mount proc", unix.EPERM, "x"), "sandbox: mount proc: operation not permitted"},
		{stepError("read", io.EOF, ""), "sandbox: read: EOF"},
		{stepError("outer", stepError("inner", unix.EIO, ""), ""), "sandbox: inner: input/output error"},
		{&Error{Step: "a", Detail: "b", Errno: unix.EIO}, "sandbox: a: b: input/output error"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if !errors.Is(stepError("a", unix.EPERM, ""), unix.EPERM) {
		t.Error("the errno is lost")
	}
	if stepError("a", nil, "") != nil {
		t.Error("no error became one")
	}
}

func TestCheckKernel(t *testing.T) {
	for release, ok := range map[string]bool{
		"5.12.0": true, "6.1.0-18-amd64": true, "5.11.22": false, "4.19.0": false, "5.4.0-150-generic": false, "odd": true,
	} {
		if err := checkKernel(release); (err == nil) != ok {
			t.Errorf("%s: %v", release, err)
		}
	}
}
