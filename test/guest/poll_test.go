package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/test/lab"
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

// Several that wait for one file, and epoll sets within sets: what Linux determines is
// the same in every order of threads, and who got what the same in every run of one.
func TestEpollMany(t *testing.T) {
	dir := compile(t, "epoll_many")
	want, err := exec.Command(filepath.Join(dir, "epoll_many")).Output()
	if err != nil {
		t.Fatal(err)
	}
	orders := map[string]bool{}
	for _, seed := range []string{"0", "1", "2", "3"} {
		var first lab.Result
		for i, fast := range []string{"true", "true", "false"} {
			r := sigLab.OK(t, "--schedule-seed", seed, "--no-fast-paths="+fast, "-i", dir+":/t", "--", "/t/epoll_many")
			sameLines(t, strings.Split(strings.TrimSpace(r.Stdout), "\n"), string(want))
			if i == 0 {
				first = r
			} else if r.Stderr != first.Stderr {
				t.Errorf("seed %s: two runs differ:\n%s\n%s", seed, first.Stderr, r.Stderr)
			}
		}
		orders[first.Stderr] = true
	}
	if len(orders) < 2 {
		t.Errorf("one order in all schedules:\n%v", orders)
	}
}

// A call that the kernel ends before it would wait does not wait for us, either.
func TestAtOnce(t *testing.T) { sameAsNative(t, "at_once") }

// Times are left where they cannot be written, and nobody sleeps in the kernel.
func TestPollConstant(t *testing.T) {
	dir := compile(t, "poll_const")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/poll_const"), "0 0 0 1 0 0, 18000 s\n")
}

// Sets of epoll(7): who waits for one file wakes in order, and as natively: all, or with
// EPOLLEXCLUSIVE one of them for each event. It is the same in every order of threads.
func TestEpollSets(t *testing.T) {
	dir := compile(t, "epoll_sets")
	want := `own sets: 4 1 1 1 1
own sets, exclusive: 1 2 3 4 1 1 1 1
own sets, exclusive edges: 1 2 3 4 1 1 1 1
one set: 4 1 1 1 1
one set, edges: 1 2 3 4 1 1 1 1
inner set: 1 1
inner set, four: 4 1 1 1 1
inner set, edges: 1 2 3 4 1 1 1 1
pipe, 6 of 6 exclusively: 1 3 4 end 6
unix listener, 6 of 6 exclusively: 1 3 4 5 6
unix datagrams, 6 of 6 exclusively: 1 3 4 5 6
TCP listener, 6 of 6 exclusively: 1 3 4 5 6
TCP data, 6 of 6 exclusively: 1 3 4 end 6
UDP, 6 of 6 exclusively: 1 3 4 5 6
eventfd, 6 of 6 exclusively: 1 3 4 5 6
pipe, 4 of 6 exclusively: 3 5 6 end 6
unix listener, 4 of 6 exclusively: 3 5 6
unix datagrams, 4 of 6 exclusively: 3 5 6
TCP listener, 4 of 6 exclusively: 3 5 6
TCP data, 4 of 6 exclusively: 3 5 6 end 6
UDP, 4 of 6 exclusively: 3 5 6
eventfd, 4 of 6 exclusively: 3 5 6
circle: ELOOP
itself: EINVAL
exclusive set: EINVAL
exclusive: 0
changed: EINVAL`
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/epoll_sets"), want)
	r := sigLab.OK(t, "--no-fast-paths", "--schedule-seed", "3", "-i", dir+":/t", "--", "/t/epoll_sets")
	sameLines(t, strings.Split(strings.TrimSpace(r.Stdout), "\n"), want)
}

// Internet sockets in sets of epoll(7): shutdown(2) in all states, the end of a peer and
// refused datagrams, by level, edge and once, with a thread that is woken by them, and
// several sockets with the same data. What Linux says is kept in a file: on a busy host
// it is at times one more edge, that of a packet's answer.
func TestEpollInet(t *testing.T) {
	want, err := os.ReadFile("c/epoll_inet.want")
	if err != nil {
		t.Fatal(err)
	}
	dir := compile(t, "epoll_inet")
	sameLines(t, twice(t, "-i", dir+":/t", "--", "/t/epoll_inet"), string(want))
	if r := sigLab.OK(t, "-i", dir+":/t", "--", "/t/epoll_inet"); r.Stderr != "" {
		t.Errorf("not woken by the event: %s", r.Stderr)
	}
}

// Who waits with EPOLLEXCLUSIVE may be killed, end by its time, or get a signal: the next
// event wakes another all the same, and the end of the pipe all that are left.
func TestExclusiveWaitersEnd(t *testing.T) {
	needPython(t)
	const program = `
import os, select, signal, time
r, w = os.pipe()
pids = []
for i in range(5):
    p = os.fork()
    if p == 0:
        os.close(w)
        e = select.epoll()
        e.register(r, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        signal.signal(signal.SIGUSR1, lambda *a: os.write(1, b"signal\n"))
        n = e.poll(.5 if i == 2 else -1)
        os.write(1, b"%d %x\n" % (i, n[0][1] if n else 0))
        if n and n[0][1] == select.EPOLLIN:
            os.read(r, 1)
        os._exit(0)
    pids.append(p)
os.close(r)
time.sleep(.1)
os.kill(pids[0], 9)
print(os.waitpid(pids[0], 0)[1], flush=True)
os.write(w, b"a")
time.sleep(.1)
os.kill(pids[4], signal.SIGUSR1)
time.sleep(1)
os.write(w, b"b")
time.sleep(.1)
os.close(w)
for p in pids[1:]:
    os.waitpid(p, 0)
`
	for _, fast := range []string{"true", "false"} {
		r := sigLab.OK(t, "--no-fast-paths="+fast, "--", "python3", "-c", program)
		sameLines(t, strings.Split(strings.TrimSpace(r.Stdout), "\n"), "9\n1 1\nsignal\n2 0\n3 1\n4 10")
	}
}
