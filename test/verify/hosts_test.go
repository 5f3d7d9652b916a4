package verify

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/perturb"
	"dettrace/internal/scratch"
	"dettrace/internal/verify"
)

// The other machines of verify are other machines: what a program that is no guest
// sees differs in each way that is claimed.
func TestHosts(t *testing.T) {
	const look = `umask; nice; ulimit -Sn; ulimit -Ss; cat /proc/self/oom_score_adj
grep Cpus_allowed_list /proc/self/status | cut -f2; id -u; cut -d. -f1 /proc/uptime`
	see := func(argv ...string) (umask, nice, files, stack, oom, cpu, uid, uptime int) {
		t.Helper()
		c := exec.Command(argv[0], argv[1:]...)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		list := strings.ReplaceAll(string(out), "unlimited", "1000000000")
		if i := strings.IndexByte(list, '-'); i > 0 { // a range of CPUs, natively
			list = list[:i] + list[i+strings.IndexByte(list[i:], '\n'):]
		}
		if _, err := fmt.Sscanf(list, "%o\n%d\n%d\n%d\n%d\n%d\n%d\n%d\n", &umask, &nice, &files, &stack, &oom, &cpu, &uid, &uptime); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		return
	}
	_, _, plainFiles, plainStack, _, _, plainUID, _ := see("/bin/sh", "-c", look)
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	for _, h := range perturb.Hosts(4)[1:] {
		wantUID, wantClock := plainUID, 0
		if root {
			wantClock = int(h.Clock)
			if h.User != 0 {
				wantUID = h.User
			}
		} else {
			h.User = 0 // only root can become somebody
		}
		argv, err := h.Argv(theLab.Kit.Dettrace, []string{"/bin/sh", "-c", look})
		if err != nil {
			t.Fatal(err)
		}
		var up unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
			t.Fatal(err)
		}
		umask, nice, files, stack, oom, cpu, uid, uptime := see(argv...)
		if umask != h.Umask || nice != h.Nice || files != min(plainFiles, int(h.Files)) || stack != min(plainStack, int(h.Stack>>10)) || oom != h.OOM || uid != wantUID {
			t.Errorf("%s: umask %o, nice %d, %d files, stack of %d KiB, oom_score_adj %d, uid %d", h.Name, umask, nice, files, stack, oom, uid)
		}
		if n := nth(&may, h.CPU); cpu != n {
			t.Errorf("%s: on CPU %d, not %d", h.Name, cpu, n)
		}
		if gain := uptime - int(up.Sec); gain < wantClock-1 || wantClock == 0 && gain > 1000 {
			t.Errorf("%s: up for %d s more than the host, not %d", h.Name, gain, wantClock)
		}
	}
}

// nth is a CPU of those that we may use, counted round and round.
func nth(may *unix.CPUSet, n int) int {
	n %= may.Count()
	for cpu := 0; ; cpu++ {
		if may.IsSet(cpu) {
			if n == 0 {
				return cpu
			}
			n--
		}
	}
}

// TestHostOrder: every other machine lists the directories of the host image, which is
// not copied, in an order of its own, and is told to.
func TestHostOrder(t *testing.T) {
	top := t.TempDir()
	said, self := filepath.Join(top, "said"), filepath.Join(top, "dettrace")
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s\nexec %s \"$@\"\n", said, theLab.Kit.Dettrace)
	if err := os.WriteFile(self, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := scratch.New(theLab.Kit.Dettrace, "dettrace-hosts-")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	hosts := perturb.Hosts(3)
	for i := range hosts {
		hosts[i].User, hosts[i].Load = 0, false // whom the script need not let in
	}
	p := verify.Program{Self: self, Command: []string{"ls", "-f", "/", "/usr/bin"}, Image: "host", Env: os.Environ(), Dir: dir}
	var digests []string
	for i, h := range hosts {
		o, err := p.Run(t.Context(), h, false)
		if err != nil || o.Status != 0 {
			t.Fatalf("%s: status %d, %v", h.Name, o.Status, err)
		}
		b, err := os.ReadFile(said)
		if err != nil || strings.Contains(string(b), fmt.Sprintf(" --host-order %d ", i)) != (i > 0) {
			t.Errorf("%s: %v\n%s", h.Name, err, b)
		}
		digests = append(digests, o.Digest)
	}
	if digests[1] != digests[0] || digests[2] != digests[0] {
		t.Error(digests)
	}
}
