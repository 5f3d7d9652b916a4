package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// victimCommand runs victim below: a supervisor to kill.
const victimCommand = "__victim"

// victim starts a container, says its pids, and waits to be killed.
func victim(tree string) int {
	s, err := start(testConfig(), DetectIDs(), tree)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(s.InitPid, s.GuestPid)
	select {}
}

// TestSupervisorKilled kills a supervisor: pid 1 sees the end of file and the
// namespace goes.
func TestSupervisorKilled(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", victimCommand, testTree(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids [2]int
	if _, err := fmt.Fscan(bufio.NewReader(out), &pids[0], &pids[1]); err != nil {
		t.Fatal(err)
	}
	var fds []int
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	for i, fd := range fds {
		if err := awaitEnd(fd); err != nil {
			t.Errorf("pid %d: %v", i+1, err)
		}
		unix.Close(fd)
	}
}

// TestNothingLeaks makes many containers, good and failing, and compares what
// the process holds before and after.
func TestNothingLeaks(t *testing.T) {
	tree, mode := testTree(t), DetectIDs()
	bad := testConfig()
	bad.Cwd = "/nowhere"
	run := func() {
		s, err := start(testConfig(), mode, tree)
		if err != nil {
			t.Fatal(err)
		}
		s.Kill()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := start(bad, mode, tree); err == nil {
			t.Fatal("no error")
		}
	}
	count := func() (fds, mounts int) {
		m, err := os.ReadFile("/proc/self/mounts")
		if err != nil {
			t.Fatal(err)
		}
		return len(names("/proc/self/fd")), len(m)
	}
	run()
	fds, mounts := count()
	for range 5 {
		run()
	}
	if f, m := count(); f != fds || m != mounts {
		t.Errorf("descriptors %d, then %d; mounts %d, then %d", fds, f, mounts, m)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func BenchmarkStart(b *testing.B) {
	tree, mode := testTree(b), DetectIDs()
	for b.Loop() {
		s, err := start(testConfig(), mode, tree)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
