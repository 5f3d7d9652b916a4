// Package verify checks `dettrace verify` end to end, also on what differs:
// with the network door open a server on this host decides.
package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"dettrace/test/lab"
)

var theLab lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &theLab)) }

func do(t *testing.T, args ...string) lab.Result {
	t.Helper()
	c := exec.Command(theLab.Kit.Dettrace, args...)
	c.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.Dir, "in"), []byte("in\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return lab.Do(t, c)
}

// counter is a server that says to each connection how many there were.
func counter(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var n atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%d\n", n.Add(1))
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

type result struct {
	Result     string `json:"result"`
	Runs       []struct{ Host, Digest string }
	Difference struct {
		Output, Files []struct {
			Path   string
			Kinds  []string
			Offset int
		}
		Event struct {
			A, B     string
			CommandA []string `json:"command_a"`
		}
	}
}

func TestSame(t *testing.T) {
	r := do(t, "verify", "-n", "4", "--json", "--", "sh", "-c",
		`cat in; date; id; umask; ulimit -n; nice; nproc; env; hostname; cat /proc/self/status /proc/uptime; stat -c '%n %i %Y %U %a' . in /tmp; head -c 8 /dev/urandom | od -x; echo x >new; ls -lai`)
	var v result
	if err := json.Unmarshal([]byte(r.Stdout), &v); err != nil || r.Status != 0 || v.Result != "same" || len(v.Runs) != 4 {
		t.Fatalf("status %d, %v\n%s%s", r.Status, err, r.Stdout, r.Stderr)
	}
	for _, o := range v.Runs {
		if o.Digest != v.Runs[0].Digest {
			t.Error(o)
		}
	}
}

// TestDifferent: files, output, and the first event with its process.
func TestDifferent(t *testing.T) {
	port := counter(t)
	script := fmt.Sprintf(`cat <in; exec 3<>/dev/tcp/127.0.0.1/%d; read n <&3; n=$((1000+n)); echo got $n; printf 'count %%s\n' $n >out; gzip -nk out`, port)
	junit := filepath.Join(t.TempDir(), "x.xml")
	r := do(t, "verify", "--allow", "network", "--json", "--junit", junit, "--", "bash", "-c", script)
	var v result
	if err := json.Unmarshal([]byte(r.Stdout), &v); err != nil || r.Status != 1 || v.Result != "different" {
		t.Fatalf("status %d, %v\n%s%s", r.Status, err, r.Stdout, r.Stderr)
	}
	d := v.Difference
	if len(d.Output) != 1 || d.Output[0].Path != "(stdout)" || d.Output[0].Offset != len("in\ngot 1001")-1 {
		t.Errorf("output: %+v", d.Output)
	}
	if len(d.Files) != 2 || d.Files[0].Path != "build/src/out" || d.Files[0].Offset != len("count 1001")-1 || d.Files[1].Path != "build/src/out.gz" {
		t.Errorf("files: %+v", d.Files)
	}
	if len(d.Event.CommandA) != 3 || d.Event.CommandA[0] != "bash" || !strings.Contains(d.Event.A, "<socket>, ") {
		t.Errorf("event: %+v", d.Event)
	}
	b, err := os.ReadFile(junit)
	if err != nil || !bytes.Contains(b, []byte(`failures="1"`)) {
		t.Errorf("%v\n%s", err, b)
	}
	// And for people.
	r = do(t, "verify", "--allow", "network", "--", "bash", "-c", script)
	for _, want := range []string{"different: run 1 (as it is) and run 2 (", "build/src/out: content (from byte 9)", "first event that differs:", "process 2: bash -c "} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("no %q in\n%s", want, r.Stdout)
		}
	}
	if r.Status != 1 {
		t.Errorf("status %d", r.Status)
	}
}

// TestStatusDiffers: another exit status is a difference, not a failed build.
func TestStatusDiffers(t *testing.T) {
	r := do(t, "verify", "--allow", "network", "--", "bash", "-c",
		fmt.Sprintf(`exec 3<>/dev/tcp/127.0.0.1/%d; read n <&3; exit $n`, counter(t)))
	if r.Status != 1 || !strings.Contains(r.Stdout, "exit: status 1 -> status 2") {
		t.Errorf("status %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
}

// TestNothingStays: the host's temporary directories are as they were.
func TestNothingStays(t *testing.T) {
	tmp := t.TempDir()
	c := exec.Command(theLab.Kit.Dettrace, "verify", "-n", "4", "--no-default-input", "--", "true")
	c.Env = append(os.Environ(), "TMPDIR="+tmp)
	if r := lab.Do(t, c); r.Status != 0 {
		t.Fatalf("%s%s", r.Stdout, r.Stderr)
	}
	left, err := os.ReadDir(tmp)
	shm, shmErr := filepath.Glob("/dev/shm/dettrace-verify-*")
	if err != nil || shmErr != nil || len(left) > 0 || len(shm) > 0 {
		t.Error(left, shm, err, shmErr)
	}
}

// TestDiffoscope: it is given the two trees.
func TestDiffoscope(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\nfor f; do tar -xOf \"$f\" build/src/out; done; exit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "diffoscope"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(theLab.Kit.Dettrace, "verify", "--allow", "network", "--diffoscope", "--", "bash", "-c",
		fmt.Sprintf(`exec 3<>/dev/tcp/127.0.0.1/%d; read n <&3; echo out $n >out`, counter(t)))
	c.Dir, c.Env = t.TempDir(), append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if r := lab.Do(t, c); r.Status != 1 || !strings.HasSuffix(r.Stdout, "out 1\nout 2\n") {
		t.Errorf("status %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
}
