package eventlog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, lines ...string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(p, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompare(t *testing.T) {
	same := []string{"0.000000001 2/2 a(0x1) = 0", "0.000000001 2/2 +++ started 6/6 +++", `0.000000002 5/5 execve("/bin/x y", ["x", "a \"b\", c"]) = 0`}
	a := write(t, append(slices.Clone(same), "0.000000003 5/5 read(0x1) = 1", "more")...)
	b := write(t, append(slices.Clone(same), "0.000000003 6/6 read(0x1) = 1")...)
	d, err := Compare(a, b, []string{"sh"})
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	if d.Line != 4 || d.PidA != 5 || !slices.Equal(d.ProcA, []string{"x", `a "b", c`}) || d.PidB != 6 || !slices.Equal(d.ProcB, []string{"sh"}) {
		t.Errorf("%+v", d)
	}
	if !slices.Equal(d.Before, same) || !slices.Equal(d.AfterA, []string{"more"}) || d.AfterB != nil {
		t.Errorf("%+v", d)
	}
	if d, err := Compare(a, a, nil); d != nil || err != nil {
		t.Errorf("a log differs from itself: %+v, %v", d, err)
	}
	d, err = Compare(write(t, same...), b, nil)
	if err != nil || d == nil || d.A != "" || d.Line != 4 {
		t.Errorf("%+v, %v", d, err)
	}
}
