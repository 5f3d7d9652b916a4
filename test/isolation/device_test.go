package isolation

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"dettrace/test/lab"
)

// The guest's device nodes are the host's, and who has only root's id is their owner.
func TestDevicesOfOneID(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who owns the devices")
	}
	const device = "/dev/full"
	look := func() (st syscall.Stat_t) {
		if err := syscall.Stat(device, &st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	before := look()
	defer os.Chmod(device, os.FileMode(before.Mode&0o777))
	const script = `id -u; chmod 640 /dev/full; touch /dev/full; echo x 2>/dev/null >/dev/full; echo $?; echo x >/dev/null; echo $?; head -c 2 /dev/zero | od -An -tx1`
	cmd := exec.Command(l.Kit.Dettrace, "run", "--no-default-input", "-w", "/tmp", "--", "sh", "-c", script)
	cmd.Dir = "/"
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	r := lab.Do(t, cmd)
	if r.Status != 0 || r.Stdout != "0\n1\n0\n 00 00\n" || strings.Count(r.Stderr, "Read-only file system") != 2 {
		t.Errorf("status %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
	if after := look(); after.Mode != before.Mode || after.Mtim != before.Mtim || after.Ctim != before.Ctim {
		t.Errorf("%s of the host is %o now, changed at %d; before %o, %d", device, after.Mode, after.Ctim, before.Mode, before.Ctim)
	}
}
