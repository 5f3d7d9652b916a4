package guest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/test/lab"
)

// compile builds c/name.c and returns the directory to show to the guest.
func compile(t *testing.T, name string) string {
	t.Helper()
	return compileAll(t, name, filepath.Join("c", name+".c"))
}

// compileAll builds a program of several sources.
func compileAll(t *testing.T, name string, sources ...string) string {
	t.Helper()
	return compileAs(t, name, append([]string{"-static", "-pthread"}, sources...)...)
}

// compileAs is for a program that is linked in another way.
func compileAs(t *testing.T, name string, more ...string) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc")
	}
	dir := t.TempDir()
	args := append([]string{"-O1", "-w", "-o", filepath.Join(dir, name)}, more...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return dir
}

// twice runs a command in two containers, wants the same output of both, and
// returns its lines.
func twice(t *testing.T, args ...string) []string {
	t.Helper()
	var out [2]lab.Result
	for i := range out {
		out[i] = sigLab.OK(t, args...)
	}
	if out[0].Stdout != out[1].Stdout {
		t.Errorf("two runs differ:\n%s\n%s", out[0].Stdout, out[1].Stdout)
	}
	return strings.Split(strings.TrimSpace(out[0].Stdout), "\n")
}

// Each call that can sleep, interrupted while parked, ends or goes on as on
// Linux: the program says the same natively, where its result is determined.
func TestInterruptedCalls(t *testing.T) {
	dir := compile(t, "sig_eintr")
	native, err := exec.Command(filepath.Join(dir, "sig_eintr")).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(native)), "\n")
	got := twice(t, "-i", dir+":/sig", "--", "/sig/sig_eintr")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

func python(t *testing.T, script string) []string {
	t.Helper()
	dir, err := filepath.Abs("c")
	if err != nil {
		t.Fatal(err)
	}
	if r := sigLab.Run(t, "--", "python3", "-c", "import pty"); r.Status != 0 {
		t.Skip("no python3 in the guest")
	}
	return twice(t, "-i", dir+":/sig", "--", "python3", "-u", "/sig/"+script)
}

// Stopping, continuing and killing a process with several parked threads.
func TestJobThreads(t *testing.T) {
	want := "stopped True\ncontinued True\nstopped True\ncontinued True\nkilled 9\nexec of a thread 1280\nexit of a thread 768"
	if got := strings.Join(python(t, "job_threads.py"), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An interactive shell on a pseudo terminal: ^Z, fg, ^C, a background reader.
func TestTerminalJobs(t *testing.T) {
	got := strings.Join(python(t, "tty_jobs.py"), "\n")
	for _, w := range []string{"/dev/pts/0", "^Z", "Stopped                 sleep 100", "^C", "Stopped                 cat", "errno 5", "\n0"} {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in\n%s", w, got)
		}
	}
}

// Where signals come from, and what they carry.
func TestSigInfo(t *testing.T) {
	dir := compile(t, "sig_info")
	want, err := exec.Command(filepath.Join(dir, "sig_info")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(twice(t, "-i", dir+":/sig", "--", "/sig/sig_info"), "\n"); got != strings.TrimSpace(string(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Leaders that exit first, groups that are killed while stopped, orphans.
func TestEnds(t *testing.T) {
	dir := compile(t, "job_ends")
	want := "late thread exits\nleader first 700\nmany parked a00\nstopped 137f\nkilled 9\nnowait 4\n400\nwclone 1 600\nsubreaper 800"
	if got := strings.Join(twice(t, "-i", dir+":/sig", "--", "/sig/job_ends"), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWaitEnds: what a parent learns of its children.
func TestWaitEnds(t *testing.T) { sameAsNative(t, "wait_ends") }

func TestTimersFar(t *testing.T) { sameAsNative(t, "timers_far") }

// TestInheritedSignals: what threads, children and new programs get.
func TestInheritedSignals(t *testing.T) { sameAsNative(t, "sig_inherit") }
