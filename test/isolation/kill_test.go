package isolation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processes returns the ids of all processes of the binary under test and of
// those whose command line or environment holds a
// token, zombies excluded (they have none).
func processes(t *testing.T, token string) []string {
	t.Helper()
	e, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range e {
		if d.Name()[0] < '1' || d.Name()[0] > '9' {
			continue
		}
		// The helpers of a run are known by their executable.
		if exe, err := os.Readlink("/proc/" + d.Name() + "/exe"); err == nil && exe == l.Kit.Dettrace {
			found = append(found, d.Name())
			continue
		}
		for _, f := range []string{"cmdline", "environ"} {
			if b, err := os.ReadFile("/proc/" + d.Name() + "/" + f); err == nil && strings.Contains(string(b), token) {
				found = append(found, d.Name())
				break
			}
		}
	}
	return found
}

func mounts(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

// Killing the supervisor with SIGKILL at 100 random moments leaves no
// process, no mount and no file. The moments come from a fixed seed; the
// deadline is for the kernel to end what the death of the supervisor ends.
func TestKilledSupervisorLeavesNothing(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	before := mounts(t)
	alive := 0
	for i := range rounds {
		state, tmp := t.TempDir(), t.TempDir()
		token := fmt.Sprintf("dettrace-kill-%d-%d", os.Getpid(), i)
		c := l.Command("--state-dir", state, "-e", "TOKEN="+token, "--", "/bin/sh", "-c",
			`i=0; while :; do i=$((i+1)); echo $i > f$i; (sleep 1; cat f$i) | wc -c > g$i & [ $((i % 5)) = 0 ] && wait; done`, token)
		c.Env = append(os.Environ(), "TMPDIR="+tmp)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		moment := time.Duration(rnd.IntN(400)) * time.Millisecond
		<-time.After(moment)
		if len(processes(t, token)) > 2 {
			alive++
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		deadline := time.Now().Add(5 * time.Second)
		var left []string
		for left = processes(t, token); len(left) > 0 && time.Now().Before(deadline); left = processes(t, token) {
			<-time.After(5 * time.Millisecond)
		}
		if len(left) > 0 {
			for _, p := range left {
				b, _ := os.ReadFile("/proc/" + p + "/status")
				w, _ := os.ReadFile("/proc/" + p + "/wchan")
				t.Logf("process %s: %.200s %s", p, b, w)
			}
			t.Fatalf("round %d, killed after %v: processes %v are left", i, moment, left)
		}
		for _, dir := range []string{state, tmp} {
			if e, err := os.ReadDir(dir); err != nil || len(e) != 0 {
				t.Fatalf("round %d, killed after %v: %s holds %v (%v)", i, moment, filepath.Base(dir), e, err)
			}
		}
		if n := mounts(t); n != before {
			t.Fatalf("round %d, killed after %v: %d mounts, %d before", i, moment, n, before)
		}
	}
	// The search must be able to find something.
	if alive < rounds/3 {
		t.Errorf("a guest was seen before the kill in %d of %d rounds only", alive, rounds)
	}
}

// Ctrl-C and SIGTERM end the guest and clean up.
func TestSignalsEndTheGuest(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			tmp := t.TempDir()
			token := fmt.Sprintf("dettrace-signal-%d-%d", os.Getpid(), sig)
			c := l.Command("-e", "TOKEN="+token, "--", "/bin/sh", "-c", `echo started; trap "" INT TERM HUP; while :; do sleep 1; done`, token)
			c.Env = append(os.Environ(), "TMPDIR="+tmp)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			limit := time.AfterFunc(20*time.Second, func() { c.Process.Kill() })
			b := make([]byte, 8)
			if _, err := out.Read(b); err != nil {
				t.Errorf("guest did not start: %v", err)
			}
			c.Process.Signal(sig)
			err = c.Wait()
			if !limit.Stop() {
				t.Fatalf("no end after %v", sig)
			}
			if err == nil {
				t.Error("status 0")
			}
			if left := processes(t, token); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
			if e, err := os.ReadDir(tmp); err != nil || len(e) != 0 {
				t.Errorf("left in TMPDIR: %v %v", e, err)
			}
		})
	}
}
