// Package verify checks `dettrace verify` end to end, also on what differs:
// with the network door open a server on this host decides.
package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// busybox makes a directory that can be an image, with many names in one
// directory.
func busybox(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "image")
	for _, d := range []string{"bin", "etc", "many"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("/bin/busybox")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bin", "busybox"), b, 0o755)
	}
	if err == nil {
		err = os.Symlink("busybox", filepath.Join(dir, "bin", "sh"))
	}
	for i := range 30 {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "many", fmt.Sprint("file", i*7919%31)), []byte("x"), 0o644)
		}
	}
	if err == nil && os.Geteuid() == 0 {
		err = os.Lchown(filepath.Join(dir, "many", "file0"), 12, 34)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestImages: an image is copied for perturbed runs, its directory in another
// order, its owners kept, whatever kind of image it is.
func TestImages(t *testing.T) {
	dir := busybox(t)
	top := filepath.Dir(dir)
	tar := filepath.Join(top, "image.tar")
	if out, err := exec.Command("tar", "--format=posix", "-C", dir, "-cf", tar, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	store := filepath.Join(top, "store")
	if out, err := exec.Command(theLab.Kit.Dettrace, "image", "import", "--store", store, tar, "box").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for name, flags := range map[string][]string{
		"directory": {"--image", "dir:" + dir}, "tar": {"--image", "tar:" + tar}, "store": {"--image", "box", "--store", store},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"verify", "-n", "3", "--json"}, flags...)
			r := do(t, append(args, "--", "/bin/sh", "-c", "/bin/busybox ls -fln /many >list; /bin/busybox stat -c %u.%g.%Y /many /many/* >>list")...)
			var v struct {
				Result string
				Runs   []struct{ Notes []string }
			}
			if err := json.Unmarshal([]byte(r.Stdout), &v); err != nil || r.Status != 0 || v.Result != "same" || len(v.Runs) != 3 {
				t.Fatalf("status %d, %v\n%s%s", r.Status, err, r.Stdout, r.Stderr)
			}
			for _, run := range v.Runs {
				for _, n := range run.Notes {
					if strings.Contains(n, "is used where it is") || name != "directory" && os.Geteuid() == 0 {
						t.Errorf("note: %s", n)
					}
				}
			}
		})
	}
}

// TestPrivateInput: a file that only its owner can read is no trouble for the run as
// another user.
func TestPrivateInput(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "private")
	file := filepath.Join(dir, "file")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, []byte("in\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	r := do(t, "verify", "-n", "3", "--stdin", file, "--", "grep", "in")
	if r.Status != 0 || !strings.HasPrefix(r.Stdout, "same: 3 runs") || !strings.Contains(r.Stderr, "note: no other user: ") {
		t.Errorf("status %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
}

// nextRun waits until a run has opened a FIFO as its input, and puts another FIFO in its
// place for the run after it. An open waits for the one at the other end.
func nextRun(t *testing.T, fifo string) *os.File {
	t.Helper()
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	next := fifo + ".next"
	if err := errors.Join(err, syscall.Mkfifo(next, 0o666), os.Rename(next, fifo)); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestInterrupted: Ctrl-C is told apart from trouble also while it is asked what
// is outside.
func TestInterrupted(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(theLab.Kit.Dettrace, "verify", "--no-default-input", "--vary", "time", "--stdin", fifo, "--", "cat")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(lab.Limit, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	for range 2 {
		if err := nextRun(t, fifo).Close(); err != nil {
			t.Fatal(err)
		}
	}
	outside := nextRun(t, fifo)
	defer outside.Close()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("%v, want status 130", err)
	}
}

// TestKilled: a SIGKILL leaves nothing in the host's temporary directories. The
// command stands still in verify's second, perturbed run, and in why's only one.
func TestKilled(t *testing.T) {
	for _, tt := range []struct {
		before int // runs
		args   []string
	}{
		{1, []string{"verify"}}, {0, []string{"why", "stdout"}},
	} {
		t.Run(tt.args[0], func(t *testing.T) { killed(t, tt.before, tt.args) })
	}
}

func killed(t *testing.T, before int, args []string) {
	tmp := t.TempDir()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(theLab.Kit.Dettrace, append(args, "--no-default-input", "--stdin", fifo, "--", "cat")...)
	c.Env = append(os.Environ(), "TMPDIR="+tmp)
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(lab.Limit, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	for range before { // the end of its input is that of the run
		if err := nextRun(t, fifo).Close(); err != nil {
			t.Fatal(err)
		}
	}
	last := nextRun(t, fifo)
	defer last.Close()
	if list, err := os.ReadDir(tmp); err != nil || len(list) == 0 {
		t.Errorf("nothing in %s: %v", tmp, err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The helper that cleans up closes it last.
	if said, err := io.ReadAll(errs); err != nil || len(said) > 0 {
		t.Errorf("%s, %v", said, err)
	}
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("%v", err)
	}
	if list, err := os.ReadDir(tmp); err != nil || len(list) > 0 {
		t.Errorf("left: %v, %v", list, err)
	}
	// Nor does the run: nobody reads its input any more.
	gone := []unix.PollFd{{Fd: int32(last.Fd())}}
	if n, err := unix.Poll(gone, int(lab.Limit.Milliseconds())); n != 1 || err != nil || gone[0].Revents&unix.POLLERR == 0 {
		t.Errorf("the run goes on: %d %v %+v", n, err, gone)
	}
}
