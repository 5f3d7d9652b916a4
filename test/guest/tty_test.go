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

// A read of a terminal gets all that was written before it, however far the
// kernel's work queue has got, and who waits for a terminal has its place
// among those who wait.
func TestTerminalIsReadWhole(t *testing.T) {
	dir := compile(t, "tty_pieces")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/tty_pieces"), `cooked: 150 of 150, least 147 of 147
raw: 150 of 150, least 140 of 140
typed: 150 of 150, least 140 of 140
typed, at least 30: 150 of 150, least 140 of 140
without waiting: 150 of 150, least 140 of 140
terminal first: 150 of 150`)
}
