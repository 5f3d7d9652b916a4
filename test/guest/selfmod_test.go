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
		// One instruction makes nearly all of its calls, with a RET behind it; where it is
		// tells musl whether a thread that is cancelled waits.
		for command, least := range map[string]uint64{"fastpath 2000 4": 2000, "descriptors 1": 7500, "cancel 30": 1400} {
			name, _, _ := strings.Cut(command, " ")
			t.Run(link+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				cmd := exec.Command("musl-gcc", "-O1", "-w", link, "-o", filepath.Join(dir, name), filepath.Join("c", name+".c"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("musl-gcc: %v\n%s", err, out)
				}
				served := sameWithout(t, append([]string{"-i", dir + ":/t", "--"}, strings.Fields("/t/"+command)...)...)
				if served < least {
					t.Errorf("%d calls served, want %d at least", served, least)
				}
			})
		}
	}
}

// The same of the C library that is everybody's, as natively.
func TestCancel(t *testing.T) { differs(t, compile(t, "cancel"), "cancel", nil, "30") }
