package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRootIsMount(t *testing.T) {
	const root = "21 1 0:20 / / rw,relatime - ext4 /dev/vda rw\n"
	const proc = "22 21 0:21 / /proc rw - proc proc rw\n"
	if !rootIsMount(root + proc) {
		t.Error("a root that is a mount point was not found")
	}
	if rootIsMount(proc) { // in a chroot only what is below it is listed
		t.Error("a chroot was not noticed")
	}
}

func TestMaskedProc(t *testing.T) {
	const info = "22 21 0:21 / /proc rw - proc proc rw\n" +
		"23 22 0:22 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n" +
		"24 22 0:23 /null /proc/kcore rw - tmpfs tmpfs rw\n" +
		"25 22 0:23 / /proc/acpi ro - tmpfs tmpfs ro\n"
	if got := maskedProc(info); !slices.Equal(got, []string{"/proc/kcore", "/proc/acpi"}) {
		t.Errorf("%q", got)
	}
}

func TestSealedVvar(t *testing.T) {
	const vvar = "7ffff7fc4000-7ffff7fc8000 r--p 00000000 00:00 0    [vvar]\nSize: 16 kB\nVmFlags: rd mr pf io de dd "
	const other = "7ffff7fca000-7ffff7fcb000 r-xp 00000000 00:00 0    [vdso]\nVmFlags: rd ex sl \n"
	if sealedVvar(vvar + "\n" + other) {
		t.Error("the seal of another mapping counted")
	}
	if !sealedVvar(other + vvar + "sl\n") {
		t.Error("a sealed one was not noticed")
	}
}

func TestExamine(t *testing.T) {
	broken := errors.New("sandbox: make namespaces: operation not permitted")
	r := Examine(t.TempDir(), func() (string, error) { return "sysctl -w some=1", broken })
	last := r.Checks[len(r.Checks)-1]
	if r.Ready || last.Status != Missing || last.Found != broken.Error() || last.Fix != "sysctl -w some=1" {
		t.Errorf("a container that failed: %+v", last)
	}
	for _, c := range r.Checks {
		if c.Name == "" || c.Found == "" || c.Gives == "" || (c.Status == OK) != (c.Lost == "") {
			t.Errorf("incomplete: %+v", c)
		}
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil || !strings.HasSuffix(text.String(), "\ndettrace cannot run here\n") || !strings.Contains(text.String(), "mend:  sysctl -w some=1") {
		t.Errorf("%v\n%s", err, text.String())
	}
	var out bytes.Buffer
	var back Report
	if err := r.JSON(&out); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || len(back.Checks) != len(r.Checks) {
		t.Errorf("%v\n%s", err, out.String())
	}
	gone := stateSpace(t.TempDir() + "/missing")
	if gone.Status != Missing {
		t.Errorf("a state directory that is not there: %+v", gone)
	}
}
