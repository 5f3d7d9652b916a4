package isolation

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/test/lab"
)

// outside is a server of the host: it echoes, slowly, or says nothing.
func outside(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

// With the door open the guest reaches the host's loopback, and logical time
// waits for it; timers have their time for real. The report names the door.
func TestNetworkDoor(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	slow := outside(t, func(c net.Conn) {
		b, _ := io.ReadAll(c)
		time.Sleep(300 * time.Millisecond) // the guest must still be there then
		fmt.Fprintf(c, "got %d", len(b))
		c.Close()
	})
	silent := outside(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	name := fmt.Sprintf("@dettrace-test-%d", os.Getpid())
	host, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	script := filepath.Join(t.TempDir(), "door.py")
	if err := os.WriteFile(script, []byte(`
import socket, sys, threading, time, select
slow, silent, name = int(sys.argv[1]), int(sys.argv[2]), "\0" + sys.argv[3][1:]
count = []
def tick():
    while len(count) < 5: time.sleep(0.01); count.append(1)
threading.Thread(target=tick).start()
c = socket.create_connection(("127.0.0.1", slow), timeout=20)
c.sendall(b"x" * 5000000)
c.shutdown(socket.SHUT_WR)
print(c.recv(100))
c = socket.create_connection(("127.0.0.1", slow))
c.sendall(b"x" * 5000000)
c.shutdown(socket.SHUT_WR)
print(c.recv(100, socket.MSG_WAITALL))
c = socket.create_connection(("127.0.0.1", silent))
c.settimeout(0.3)
try: c.recv(1)
except TimeoutError as e: print(e)
e = select.epoll(); e.register(c, select.EPOLLIN); print(e.poll(0.2))
try: socket.create_connection(("127.0.0.1", 1))
except OSError as e: print(e)
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    u = socket.socket(socket.AF_UNIX, kind)
    try: u.connect(name)
    except OSError as e: print(e)
try: u.sendto(b"x", name)
except OSError as e: print(e)
try: u.sendmsg([b"x"], [], 0, name)
except OSError as e: print(e)
own = socket.socket(socket.AF_UNIX); own.bind("\0own-" + sys.argv[3]); own.listen()
u = socket.socket(socket.AF_UNIX); u.connect(own.getsockname()); print("own name")
l = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(l.getsockname()); s, _ = l.accept()
c.sendall(b"inside"); print(s.recv(10), len(count))
`), 0o644); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.json")
	start := time.Now()
	r := l.OK(t, "--allow", "network", "--report", report, "-i", script+":/door.py", "--", "python3", "/door.py", fmt.Sprint(slow), fmt.Sprint(silent), name)
	const refused = "[Errno 111] Connection refused"
	want := strings.Join([]string{"b'got 5000000'", "b'got 5000000'", "timed out", "[]", refused, refused, refused, refused, refused, "own name", "b'inside' 5"}, "\n")
	if got := strings.TrimSpace(r.Stdout); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if d := time.Since(start); d < 1100*time.Millisecond {
		t.Errorf("the run took %v: it cannot have waited for the outside", d)
	}
	if rep := readReport(t, report); rep.Pure || len(rep.Doors) != 1 || rep.Doors[0] != "network" {
		t.Errorf("report: %+v", rep)
	}
}

// nameServer answers every question for an IPv4 address with addr, on UDP port
// 53 of host.
func nameServer(t *testing.T, host string, addr [4]byte) {
	t.Helper()
	c, err := net.ListenPacket("udp", host+":53")
	if err != nil {
		t.Skipf("only root may have the port of name servers: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			// RFC 1035, 4.1: header, question (a name, type and class), answer.
			end := 12
			for end < n && b[end] != 0 {
				end += int(b[end]) + 1
			}
			if end += 5; end > n {
				continue
			}
			q := append([]byte(nil), b[:end]...)
			q[2], q[3] = 0x85, 0x80 // an authoritative answer, recursion available
			copy(q[6:12], make([]byte, 6))
			if q[end-3] == 1 { // type A
				q[7] = 1
				q = append(q, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
				q = append(q, addr[:]...)
			}
			c.WriteTo(q, from)
		}
	}()
}

// A user without privileges resolves a name and talks TCP through the door; the
// name servers are those of the host unless an input says otherwise.
func TestNetworkDoorNames(t *testing.T) {
	for _, tool := range []string{"python3", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	nameServer(t, "127.0.53.53", [4]byte{127, 0, 0, 1})
	port := outside(t, func(c net.Conn) { fmt.Fprint(c, "hello"); c.Close() })
	dir := t.TempDir()
	report := filepath.Join(dir, "report.json")
	conf := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.0.53.53\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir), filepath.Dir(l.Kit.Dettrace)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	program := fmt.Sprintf("import socket; print(socket.create_connection(('server.dettrace.test', %d), 20).recv(9))", port)
	run := func(flags ...string) lab.Result {
		c := l.Command(append(flags, "-i", conf+":/etc/resolv.conf", "--report", report, "--", "python3", "-c", program)...)
		c.Args = append([]string{"setpriv", "--reuid", "23456", "--regid", "23456", "--clear-groups", "--"}, c.Args...)
		c.Path, _ = exec.LookPath("setpriv")
		c.Dir = dir
		return lab.Do(t, c)
	}
	if r := run("--allow", "network"); r.Stdout != "b'hello'\n" {
		t.Errorf("%d %s%s", r.Status, r.Stdout, r.Stderr)
	}
	if rep := readReport(t, report); rep.Pure || len(rep.Doors) != 1 {
		t.Errorf("report: %+v", rep)
	}
	if r := run(); r.Status == 0 || !strings.Contains(r.Stderr, "name resolution") {
		t.Errorf("closed: %d %s%s", r.Status, r.Stdout, r.Stderr)
	}
	if rep := readReport(t, report); !rep.Pure {
		t.Errorf("closed: report: %+v", rep)
	}
	host, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		host = nil
	}
	if r := l.OK(t, "--allow", "network", "--", "cat", "/etc/resolv.conf"); r.Stdout != string(host) {
		t.Errorf("name servers %q, on the host %q", r.Stdout, host)
	}
}

// A name that was the guest's own is no way to the host's socket that has it
// later: the kernel refuses where the supervisor cannot know.
func TestNetworkDoorOldName(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	abi, _, _ := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if int(abi) < 6 {
		t.Skipf("Landlock of this kernel (version %d) has no scopes", int(abi))
	}
	name := fmt.Sprintf("@dettrace-old-%d", os.Getpid())
	const program = `
import socket, sys
name = "\0" + sys.argv[1][1:]
u = socket.socket(socket.AF_UNIX); u.bind(name); u.listen()
c = socket.socket(socket.AF_UNIX); c.connect(name)
c.close(); u.close(); print("own", flush=True)
sys.stdin.readline()
try: socket.socket(socket.AF_UNIX).connect(name); print("connected")
except OSError as e: print(e)
`
	for _, doors := range [][]string{{"network"}, {"network", "threads-native"}} {
		flags := []string{"--stdin", "-"}
		for _, d := range doors {
			flags = append(flags, "--allow", d)
		}
		c := l.Command(append(flags, "--", "python3", "-c", program, name)...)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(20*time.Second, func() { c.Process.Kill() })
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "own" {
			t.Errorf("%v: %q", doors, lines.Text())
		}
		host, err := net.Listen("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(in)
		in.Close()
		if !lines.Scan() || lines.Text() != "[Errno 1] Operation not permitted" {
			t.Errorf("%v: %q", doors, lines.Text())
		}
		host.Close()
		c.Wait()
		timer.Stop()
	}
}
