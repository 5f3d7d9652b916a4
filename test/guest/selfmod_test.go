package guest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Code that a program writes over its own is what runs, whatever was replaced
// in the old one.
func TestSelfModifying(t *testing.T) {
	dir := compile(t, "selfmod")
	r := sigLab.OK(t, "-i", dir+":/t", "--", "/t/selfmod")
	if n := strings.Count(r.Stdout, ", 0 wrong\n"); n != 16 {
		t.Errorf("%s", r.Stdout)
	}
	if served := sameWithout(t, "-i", dir+":/t", "--", "/t/selfmod"); served == 0 {
		t.Error("nothing was served")
	}
}

// The fast paths of programs that another C library was linked to, statically
// and not.
func TestMusl(t *testing.T) {
	if _, err := exec.LookPath("musl-gcc"); err != nil {
		t.Skip("needs musl-gcc")
	}
	for _, link := range []string{"-static", "-rdynamic"} {
		t.Run(link, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command("musl-gcc", "-O1", "-w", link, "-o", filepath.Join(dir, "fastpath"), filepath.Join("c", "fastpath.c"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("musl-gcc: %v\n%s", err, out)
			}
			if served := sameWithout(t, "-i", dir+":/t", "--", "/t/fastpath", "2000", "4"); served < 500 {
				t.Errorf("%d calls served: the test tests nothing", served)
			}
		})
	}
}
