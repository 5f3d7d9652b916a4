package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/sched"
	"dettrace/internal/syscalls"
)

func TestSaturation(t *testing.T) {
	const most = 1<<63 - 1
	if satMul(most/1000+1, 1000) != most || satMul(3, 4) != 12 || satMul(0, 1e9) != 0 {
		t.Error("satMul")
	}
	if satAdd(most, 1) != most || satAdd(2, 3) != 5 {
		t.Error("satAdd")
	}
}

func TestSplitNS(t *testing.T) {
	for _, tt := range []struct{ ns, sec, rest int64 }{
		{0, 0, 0}, {1, 0, 1}, {1e9, 1, 0}, {-1, -1, 999999999}, {-1e9, -1, 0}, {-1500000000, -2, 500000000},
	} {
		if sec, rest := splitNS(tt.ns); sec != tt.sec || rest != tt.rest {
			t.Errorf("splitNS(%d) = %d, %d, want %d, %d", tt.ns, sec, rest, tt.sec, tt.rest)
		}
	}
}

func TestWindow(t *testing.T) {
	p := []byte("0123456789")
	for _, tt := range []struct {
		pos  int64
		n    int
		want string
	}{
		{0, 4, "0123"}, {8, 4, "89"}, {10, 4, ""}, {1 << 62, 1, ""}, {-1, 4, ""}, {0, 0, ""}, {0, 1 << 30, "0123456789"},
	} {
		if got := string(window(p, tt.pos, tt.n)); got != tt.want {
			t.Errorf("window(%d, %d) = %q, want %q", tt.pos, tt.n, got, tt.want)
		}
	}
}

func TestMagicName(t *testing.T) {
	for name, want := range map[string]bool{
		"exe": true, "cwd": true, "0": true, "255": true, "mnt": true, "pid_for_children": true,
		"": false, "a": false, "1a": false, "exec": false, "-1": false,
	} {
		if got := magicName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestRawProc(t *testing.T) {
	for rel, want := range map[string]bool{
		"7/mem": true, "3/cmdline": true, "7/task/8/environ": true, "7/maps": false, "mem": false, "": false, "7/": false,
	} {
		if got := rawProc(rel); got != want {
			t.Errorf("%q: %v", rel, got)
		}
	}
}

func TestInodeMap(t *testing.T) {
	var m inodeMap
	m.init()
	a, b := m.get("pipe", 4711), m.get("socket", 4711)
	if a == b || m.get("pipe", 4711) != a || m.get("socket", 4711) != b {
		t.Error("an object's number is not its own or not stable")
	}
	var again inodeMap
	again.init()
	if again.get("pipe", 99) != a {
		t.Error("the first number depends on the host's")
	}
}

func TestHexLine(t *testing.T) {
	status := []byte("Name:\tx\nSigPnd:\t0000000000000001\nSigBlk:\tfffffffe7ffbfeff\nSigCgt:\t")
	for key, want := range map[string]uint64{"SigPnd:\t": 1, "SigBlk:\t": 0xfffffffe7ffbfeff, "SigCgt:\t": 0, "Absent:\t": 0} {
		if got := hexLine(status, key); got != want {
			t.Errorf("%q: %#x, want %#x", key, got, want)
		}
	}
}

func TestSiginfoPid(t *testing.T) {
	c := exec.Command("true")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	var si unix.Siginfo
	if err := unix.Waitid(unix.P_PID, c.Process.Pid, &si, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if got := siginfoPid(&si); got != c.Process.Pid {
		t.Errorf("pid %d, want %d", got, c.Process.Pid)
	}
}

func TestResultText(t *testing.T) {
	for r, want := range map[int64]string{
		0: "0", 7: "7", -1: "-1 EPERM", -int64(unix.ENOENT): "-1 ENOENT", -512: "-1 ERESTARTSYS",
		-4096: "0xfffffffffffff000", 1 << 20: "0x100000", 1<<20 - 1: "1048575",
	} {
		if got := resultText(r); got != want {
			t.Errorf("%d: %q, want %q", r, got, want)
		}
	}
}

func TestEventLogLines(t *testing.T) {
	var out bytes.Buffer
	k := &Kernel{log: newEventLog(&out), sched: sched.New(1500000000, 1)}
	task := &Task{proc: &Process{vpid: 3}, vtid: 4}
	k.log.printf(1500000000, task, "%s(%s) = %s", "read", "0x0", "5")
	k.log.exit(k, task.proc, ptrace.Status{WaitStatus: 7 << 8})
	k.log.exit(k, task.proc, ptrace.Status{WaitStatus: unix.WaitStatus(unix.SIGKILL)})
	if err := k.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "1.500000000 3/4 read(0x0) = 5\n" +
		"1.500000000 3/3 +++ exited with 7 +++\n" +
		"1.500000000 3/3 +++ killed by SIGKILL +++\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestExecBlock(t *testing.T) {
	const at = 0x1000
	b, a, err := execBlock(at, 4096, "/bin/x", []string{"x", "", "y z"}, []string{"A=1"})
	if err != nil {
		t.Fatal(err)
	}
	str := func(addr uint64) string {
		s, _, ok := strings.Cut(string(b[addr-at:]), "\x00")
		if !ok {
			t.Fatalf("string at %#x has no end", addr)
		}
		return s
	}
	list := func(addr uint64) (out []string) {
		for {
			p := binary.LittleEndian.Uint64(b[addr-at:])
			if p == 0 {
				return out
			}
			out = append(out, str(p))
			addr += 8
		}
	}
	if str(a.path) != "/bin/x" || strings.Join(list(a.argv), "|") != "x||y z" || strings.Join(list(a.envp), "|") != "A=1" {
		t.Errorf("path %q argv %q envp %q", str(a.path), list(a.argv), list(a.envp))
	}
	if _, _, err := execBlock(at, uint64(len(b)), "/bin/x", []string{"x", "", "y z"}, []string{"A=1"}); err != nil {
		t.Errorf("an exact fit: %v", err)
	}
	if _, _, err := execBlock(at, uint64(len(b))-1, "/bin/x", []string{"x", "", "y z"}, []string{"A=1"}); !errors.Is(err, unix.E2BIG) {
		t.Errorf("one byte too many: %v", err)
	}
}

// futexKernel is a kernel with n parked tasks and nothing else.
func futexKernel(n int) (*Kernel, []*Task) {
	k := &Kernel{sched: sched.New(0, 10)}
	k.futexes.init()
	var ts []*Task
	for range n {
		t := &Task{proc: &Process{mm: &mmID{}}}
		t.th = k.sched.Add(t)
		ts = append(ts, t)
	}
	for _, t := range ts {
		k.sched.Park(t.th, -1)
	}
	return k, ts
}

func TestFutexWakeOrder(t *testing.T) {
	k, ts := futexKernel(5)
	key := futexKey{addr: 8}
	var ws []*futexWaiter
	for i, x := range ts {
		bits := uint32(1)
		if i == 1 {
			bits = 2
		}
		w := &futexWaiter{key: key, task: x, bitset: bits}
		ws = append(ws, w)
		k.futexes.add(w)
	}
	if n, _ := k.futexWake(key, 2, 1); n != 2 || !ws[0].woken || ws[1].woken || !ws[2].woken || ws[3].woken {
		t.Errorf("woke %d: not the two oldest that match", n)
	}
	to := futexKey{addr: 16}
	if n, _ := k.futexRequeue(key, to, 0, 2); n != 2 || ws[1].key != to || ws[3].key != to || ws[4].key != key {
		t.Errorf("requeued %d: not the two oldest", n)
	}
	if n, _ := k.futexWake(to, 1<<30, ^uint32(0)); n != 2 {
		t.Errorf("woke %d on the second word, want 2", n)
	}
	k.futexes.drop(ws[4])
	k.futexes.drop(ws[4])
	if len(k.futexes.q) != 0 {
		t.Errorf("%d queues are left", len(k.futexes.q))
	}
	if n, _ := k.futexWake(key, 1, ^uint32(0)); n != 0 {
		t.Errorf("woke %d of nobody", n)
	}
}

// Every handler belongs to a row of the policy table.
func TestHandlersHaveRows(t *testing.T) {
	for name := range handlers() {
		if _, ok := syscalls.ByName(name); !ok {
			t.Errorf("handler %q has no row", name)
		}
	}
}
