package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sameAsNative runs c/name.c on this host and twice in a container, and wants
// the same output each time.
func sameAsNative(t *testing.T, name string, args ...string) {
	t.Helper()
	dir := compile(t, name)
	native := exec.Command(filepath.Join(dir, name), args...)
	native.Dir = t.TempDir() // some make files
	want, err := native.Output()
	if err != nil {
		t.Fatal(err)
	}
	sameLines(t, twice(t, append([]string{"-i", dir + ":/t", "--", "/t/" + name}, args...)...), string(want))
}

func sameLines(t *testing.T, got []string, text string) {
	t.Helper()
	want := strings.Split(strings.TrimSpace(text), "\n")
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}

// Supplementary groups, also with one mapped id, and madvise(2): the same
// whoever runs dettrace, so what root sees natively is kept in a file.
func TestGroupsAndAdvice(t *testing.T) {
	dir := compile(t, "mem_advice")
	want, err := os.ReadFile("c/mem_advice.want")
	if err != nil {
		t.Fatal(err)
	}
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/mem_advice"), string(want))
}

// System V objects and POSIX message queues do what the kernel's do.
func TestIPC(t *testing.T) {
	for _, name := range []string{"sysv_sem", "sysv_msg", "sysv_shm", "posix_mq"} {
		t.Run(name, func(t *testing.T) { sameAsNative(t, name, "sort") })
	}
}

// Who waits first is served first, and reports first.
func TestIPCOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"sysv_sem", []string{" abc", " yx", " uU", " DD"}},
		{"posix_mq", []string{" a:4  one 1; b:4  two 2; c:0   3;", " high:0 ; mid:0 ;"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := compile(t, tt.name)
			got := twice(t, "-i", dir+":/t", "--", "/t/"+tt.name)
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// The futex calls of Linux 6.7; what they say there is kept in a file.
func TestFutex2(t *testing.T) {
	dir := compile(t, "futex2")
	want, err := os.ReadFile("c/futex2.want")
	if err != nil {
		t.Fatal(err)
	}
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/futex2"), string(want))
}

// fakeroot(1) talks to its daemon through message queues and a semaphore.
func TestFakeroot(t *testing.T) {
	if r := sigLab.Run(t, "--", "fakeroot", "true"); r.Status == 127 {
		t.Skip("no fakeroot in the guest")
	}
	got := sigLab.Shell(t, `cd /tmp && fakeroot sh -c 'id -u; touch a; chown 33:34 a; mknod n c 1 3; stat -c "%u %g %F" a n' && stat -c "%F" n
cat /proc/sysvipc/msg /proc/sysvipc/sem | wc -l`)
	if want := "0\n33 34 regular empty file\n0 0 character special file\nregular empty file\n2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every operation of futex(2), its errors, and what dead owners leave.
func TestFutex(t *testing.T) { sameAsNative(t, "futex_all") }

// fcntl(2) tells of a circle of waiting processes; the run does not end with them.
func TestLockDeadlock(t *testing.T) { sameAsNative(t, "lock_deadlock") }
