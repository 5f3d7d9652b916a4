package guest

import (
	"os/exec"
	"testing"
)

// What poll(2), epoll_ctl(2) and accept4(2) say of files, of wrong flags and of a refused
// connection is what they say natively.
func TestPollAsNatively(t *testing.T) {
	python := needPython(t)
	const program = `
import ctypes, os, select, socket
libc = ctypes.CDLL(None, use_errno=True)
e = select.epoll()
def add(fd):
    try:
        return e.register(fd, select.EPOLLIN)
    except OSError as x:
        return x.errno
for path in "/etc/passwd", "/tmp", "/dev/null", "/dev/zero":
    print(path, add(os.open(path, os.O_RDONLY)))
print("path", add(os.open("/etc/passwd", os.O_PATH)))
print("pipe", add(os.pipe()[0]))
for family in socket.AF_INET, socket.AF_UNIX:
    l = socket.socket(family)
    l.bind("\0poll_test" if family == socket.AF_UNIX else ("127.0.0.1", 0))
    l.listen()
    print(family, libc.accept4(l.fileno(), None, None, 1), ctypes.get_errno())
p = select.poll()
s = socket.socket()
s.setblocking(False)
print(s.connect_ex(("127.0.0.1", 1)))
p.register(s, 0x2147) # IN, PRI, OUT, RDNORM, WRNORM, RDHUP
print(hex(p.poll(5000)[0][1]), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), hex(p.poll(5000)[0][1]))
`
	want, err := exec.Command(python, "-c", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	if r := sigLab.Run(t, "--", "python3", "-c", program); r.Status != 0 || r.Stdout != string(want) {
		t.Errorf("status %d, %s, natively:\n%s\n%s", r.Status, r.Stdout, want, r.Stderr)
	}
}

// A call that the kernel ends before it would wait does not wait for us, either.
func TestAtOnce(t *testing.T) { sameAsNative(t, "at_once") }

// Times are left where they cannot be written, and nobody sleeps in the kernel.
func TestPollConstant(t *testing.T) {
	dir := compile(t, "poll_const")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/poll_const"), "0 0 0 1 0 0, 18000 s\n")
}
