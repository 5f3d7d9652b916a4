package guest

import (
	"os/exec"
	"testing"
)

// What is typed at a pty's master without blocking has its echo at once: the
// work queue that makes it has no moment of its own.
func TestEchoOfNonblockingWrite(t *testing.T) {
	if _, err := exec.LookPath("/usr/bin/python3"); err != nil {
		t.Skip("no python3")
	}
	const program = `
import os, pty, time
pid, m = pty.fork()
if pid == 0:
    while True:
        os.read(0, 100)
os.set_blocking(m, False)
late = 0
for i in range(300):
    for f in (lambda b: os.write(m, b), lambda b: os.writev(m, [b])):
        f(b"x\n")
        try:
            late += os.read(m, 100) != b"x\r\n"
        except BlockingIOError:
            late += 1
        time.sleep(0.01) # what nobody has read yet is a known gap
print("late:", late)
os.kill(pid, 9)
`
	if r := sigLab.Run(t, "--", "python3", "-c", program); r.Status != 0 || r.Stdout != "late: 0\n" {
		t.Errorf("status %d, %q\n%s", r.Status, r.Stdout, r.Stderr)
	}
}
