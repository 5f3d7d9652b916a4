package isolation

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var rep struct {
		Doors []string `json:"doors_used"`
	}
	if err := json.Unmarshal(b, &rep); err != nil || len(rep.Doors) != 1 || rep.Doors[0] != "network" {
		t.Errorf("doors in the report: %v %v", rep.Doors, err)
	}
}
