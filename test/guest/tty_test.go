package guest

import (
	"os/exec"
	"testing"
)

// needPython skips a test where its program cannot run; CI installs python3.
func needPython(t *testing.T) (path string) {
	t.Helper()
	path, err := exec.LookPath("/usr/bin/python3")
	if err != nil {
		t.Skip("no python3")
	}
	return path
}

// What is typed at a pty's master without blocking has its echo at once: the
// work queue that makes it has no moment of its own.
func TestEchoOfNonblockingWrite(t *testing.T) {
	needPython(t)
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

// The same where nobody has opened the slave yet, as a parent right after
// forkpty(3). That dettrace looks at it shows neither in hang-ups nor in numbers.
func TestEchoBeforeSlaveIsOpen(t *testing.T) {
	needPython(t)
	const program = `
import collections, fcntl, os, struct
seen = collections.Counter()
def attempt(f):
    try:
        return f()
    except OSError as e:
        return e.errno
for i in range(300):
    m = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    fcntl.ioctl(m, 0x40045431, struct.pack("i", 0)) # TIOCSPTLCK
    n, = struct.unpack("i", fcntl.ioctl(m, 0x80045430, b"    ")) # TIOCGPTN
    os.write(m, b"x\n")
    got = [n, attempt(lambda: os.read(m, 100))]
    if i % 3:
        s = os.open("/dev/pts/%d" % n, os.O_RDWR | os.O_NOCTTY)
        got.append(os.read(s, 100))
        if i % 3 == 2:
            os.write(m, b"y\n")
            os.close(s)
            got += [attempt(lambda: os.read(m, 100)) for j in range(2)]
        else:
            os.close(s)
    os.close(m)
    seen[str(got)] += 1
for k in sorted(seen.items()):
    print(*k)
`
	const want = `[0, b'x\r\n', b'x\n', b'y\r\n', 5] 100
[0, b'x\r\n', b'x\n'] 100
[0, b'x\r\n'] 100
`
	if r := sigLab.Run(t, "--", "python3", "-c", program); r.Status != 0 || r.Stdout != want {
		t.Errorf("status %d, %q\n%s", r.Status, r.Stdout, r.Stderr)
	}
}

// FIONREAD of a terminal counts all that was written before it, in pieces and also
// behind what is unread, while somebody has the other side and when nobody has.
func TestTerminalIsCountedWhole(t *testing.T) {
	needPython(t)
	const program = `
import collections, fcntl, os, pty, struct, termios, tty
count = lambda fd: struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"    "))[0]
seen = collections.Counter()
m, s = pty.openpty()
for i in range(200):
    for j in range(20):
        os.write(s, b"ab\n")
    n = count(m)
    seen["output", n, os.read(m, 200) == b"ab\r\n" * 20] += 1
settings = termios.tcgetattr(s)
tty.setraw(s)
raw = termios.tcgetattr(s)
for i in range(200):
    for j in range(20):
        os.write(m, b"abc")
    n = count(s)
    seen["input", n, os.read(s, 200) == b"abc" * 20, termios.tcgetattr(s) == raw] += 1
termios.tcsetattr(s, termios.TCSANOW, settings)
for i in range(100):
    m2, s2 = pty.openpty()
    for j in range(20):
        os.write(s2, b"ab\n")
    os.close(s2)
    n = count(m2)
    seen["closed", n, os.read(m2, 200) == b"ab\r\n" * 20] += 1
    try:
        os.read(m2, 1)
    except OSError as e:
        seen["end", e.errno] += 1
    os.close(m2)
print(sorted(seen.items()))
`
	const want = "[(('closed', 80, True), 100), (('end', 5), 100), (('input', 60, True, True), 200), (('output', 80, True), 200)]\n"
	if r := sigLab.Run(t, "--", "python3", "-c", program); r.Status != 0 || r.Stdout != want {
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
