package sandbox

import (
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What a child cannot do before its exec is told by name, and nothing is left of it.
func TestChildFails(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		step  string
		errno error
		child child
	}{
		{"clone", unix.EINVAL, child{flags: unix.CLONE_THREAD}}, // without CLONE_SIGHAND
		{"place descriptors", unix.EBADF, child{files: []uintptr{1 << 20}, path: "/bin/true"}},
		{"keep capabilities", unix.EPERM, child{flags: unix.CLONE_NEWUSER, caps: []uintptr{62}, path: "/bin/true"}},
		{"execute init", unix.ENOENT, child{flags: unix.CLONE_NEWUSER, files: []uintptr{w.Fd()}, path: "/nowhere/at/all"}},
	} {
		pid, pidfd, step, err := c.child.start()
		if step != c.step || err == nil || !errors.Is(err, c.errno) && c.step != "keep capabilities" || pid != 0 || pidfd != -1 {
			t.Errorf("pid %d, pidfd %d, %q: %v; want %q: %v", pid, pidfd, step, err, c.step, c.errno)
		}
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("%s: a child is left: %d, %v", c.step, pid, err)
		}
	}
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("somebody still holds the pipe: %v", err)
	}
}
