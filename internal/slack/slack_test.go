package slack

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// slackOf reads /proc/ID/timerslack_ns; a thread of ours has that file, too.
func slackOf(t *testing.T, id string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/" + id + "/timerslack_ns")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// TestWiden: all threads have it, and what is started has what With says.
func TestWiden(t *testing.T) {
	Widen()
	Widen()
	if now() != Wide {
		t.Errorf("slack %d", now())
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) < 2 {
		t.Fatal("no thread but one")
	}
	for _, task := range tasks {
		// That of other threads is for who might change it to see. Each changes its
		// own when it comes to the signal; if it never does, the test does not end.
		for unix.Geteuid() == 0 && slackOf(t, task.Name()) != strconv.Itoa(Wide) {
			runtime.Gosched()
		}
	}
	for _, ns := range []uintptr{Default, 70_000} {
		err := With(ns, func() error {
			out, err := exec.Command("cat", "/proc/self/timerslack_ns").Output()
			if got := strings.TrimSpace(string(out)); got != strconv.FormatUint(uint64(ns), 10) {
				t.Errorf("a child has %s, want %d", got, ns)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if now() != Wide {
		t.Errorf("slack %d after With", now())
	}
}
