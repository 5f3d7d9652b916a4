package isolation

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
)

// report is the part of a run's report that doors are in.
type report struct {
	Doors []string `json:"doors_used"`
	Pure  bool     `json:"pure"`
}

func readReport(t *testing.T, path string) (r report) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// through runs a shell script with doors open, and wants the report to name
// those that used lists and no others.
func through(t *testing.T, script string, open, used []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	args := []string{"--report", path}
	for _, d := range open {
		args = append(args, "--allow", d)
	}
	r := l.OK(t, append(args, "--", "/bin/sh", "-c", script)...)
	rep := readReport(t, path)
	if !slices.Equal(rep.Doors, used) || rep.Pure != (len(used) == 0) {
		t.Errorf("%v open: used %v, pure %v; want %v", open, rep.Doors, rep.Pure, used)
	}
	return strings.TrimSpace(r.Stdout)
}

// A closed door gives the same on every run and an open one the host's value;
// the report names those through which something came.
func TestDoors(t *testing.T) {
	closed := func(script string) string {
		a := through(t, script, nil, nil)
		if b := through(t, script, nil, nil); a != b {
			t.Errorf("%s: closed, two runs differ: %q, %q", script, a, b)
		}
		return a
	}
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Errorf("%q is no number", s)
		}
		return n
	}
	t.Run("time", func(t *testing.T) {
		const script = `date +%s; touch f; stat -c %Y f; sed -n 's/^btime //p' /proc/stat; cut -d. -f1 /proc/uptime`
		closed(script)
		before := time.Now().Unix()
		got := strings.Fields(through(t, script, []string{door.Time}, []string{door.Time}))
		after := time.Now()
		if len(got) != 4 {
			t.Fatalf("%q", got)
		}
		for _, s := range got[:2] {
			if n := number(s); n < before || n > after.Unix() {
				t.Errorf("%d is not between %d and %d", n, before, after.Unix())
			}
		}
		var up syscall.Sysinfo_t
		if err := syscall.Sysinfo(&up); err != nil {
			t.Fatal(err)
		}
		boot := after.Unix() - up.Uptime
		if n := number(got[2]); n < boot-5 || n > boot+5 {
			t.Errorf("booted at %d, the host at %d", n, boot)
		}
		if n := number(got[3]); n > up.Uptime+1 || n < before-boot-5 {
			t.Errorf("up for %d s, the host for %d", n, up.Uptime)
		}
	})
	t.Run("random", func(t *testing.T) {
		for _, script := range []string{
			"od -An -N16 -tx8 /dev/urandom", "cat /proc/sys/kernel/random/uuid", "cat /proc/sys/kernel/random/boot_id",
		} {
			c := closed(script)
			a := through(t, script, []string{door.Random}, []string{door.Random})
			b := through(t, script, []string{door.Random}, []string{door.Random})
			if a == b || a == c {
				t.Errorf("%s: %q, %q; closed %q", script, a, b, c)
			}
		}
	})
	t.Run("machine", func(t *testing.T) {
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(0, &set); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile("/proc/meminfo")
		if err != nil {
			t.Fatal(err)
		}
		memory := strings.Fields(string(b))[1]
		cpus := strconv.Itoa(set.Count())
		for script, want := range map[string]string{
			"nproc":                            cpus,
			"grep -c ^processor /proc/cpuinfo": cpus,
			"sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo": memory,
		} {
			closed(script)
			if got := through(t, script, []string{door.Machine}, []string{door.Machine}); got != want {
				t.Errorf("%s: %s, on the host %s", script, got, want)
			}
		}
		through(t, "true", []string{door.Machine}, nil) // nobody asked
	})
	t.Run("aslr", func(t *testing.T) {
		const script = "grep -c . /proc/self/maps >/dev/null; sed -n '/stack/p' /proc/self/maps"
		closed(script)
		a := through(t, script, []string{door.ASLR}, []string{door.ASLR})
		if b := through(t, script, []string{door.ASLR}, []string{door.ASLR}); a == b {
			t.Errorf("twice %q", a)
		}
	})
	t.Run("unused", func(t *testing.T) {
		through(t, "echo nothing", []string{door.Network, door.Signals, door.Machine}, nil)
	})
}

// With the door time a timer ends a computation that makes no calls, and a
// thread that waits gets its turn beside one that does not.
func TestTimeDoorTimers(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	script := filepath.Join(t.TempDir(), "timers.py")
	if err := os.WriteFile(script, []byte(`
import signal, time, threading, select
start = time.monotonic()
rung = []
def ring(n, f): rung.append(n)
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.2)
while not rung: pass
print("alarm", time.monotonic() - start >= 0.2)
start = time.monotonic()
print(threading.Event().wait(0.1), time.monotonic() - start >= 0.1)
start = time.monotonic()
select.select([], [], [], 0.1); time.sleep(0.1)
print(time.monotonic() - start >= 0.2)
done = []
threading.Thread(target=lambda: (time.sleep(0.05), done.append(1))).start()
while not done: pass
print("seen", time.process_time() > 0, time.thread_time() > 0)
`), 0o644); err != nil {
		t.Fatal(err)
	}
	r := l.OK(t, "--allow", "time", "-i", script+":/timers.py", "--", "python3", "/timers.py")
	if want := "alarm True\nFalse True\nTrue\nseen True True\n"; r.Stdout != want {
		t.Errorf("%s", r.Stdout)
	}
}

// With the door signals open the command gets what dettrace is sent, also where
// it only waits; closed, a termination is the run's.
func TestSignalsDoor(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	const program = `
import os, signal
def say(n, f): os.write(1, b"%d\n" % n)
def end(n, f): os._exit(7)
signal.signal(signal.SIGUSR1, say)
signal.signal(signal.SIGTERM, end)
both = [signal.SIGUSR1, signal.SIGTERM]
def wait():
    # And not pause(2): a signal that comes just before it is not waited for.
    n = signal.sigwait(both)
    (end if n == signal.SIGTERM else say)(n, None)
if WAITS: signal.pthread_sigmask(signal.SIG_BLOCK, both)
os.write(1, b"ready\n")
while True:
    if WAITS: wait()
`
	send := func(t *testing.T, waits string, signals []syscall.Signal, flags ...string) (lines []string, status int) {
		t.Helper()
		c := l.Command(append(flags, "--", "python3", "-c", strings.ReplaceAll(program, "WAITS", waits))...)
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(20*time.Second, func() { c.Process.Kill() })
		defer timer.Stop()
		in := bufio.NewScanner(out)
		for _, s := range signals {
			if !in.Scan() {
				break
			}
			lines = append(lines, in.Text())
			if err := c.Process.Signal(s); err != nil {
				t.Error(err)
			}
		}
		for in.Scan() {
			lines = append(lines, in.Text())
		}
		c.Wait()
		return lines, c.ProcessState.ExitCode()
	}
	path := filepath.Join(t.TempDir(), "report.json")
	for _, waits := range []string{"True", "False"} {
		lines, status := send(t, waits, []syscall.Signal{unix.SIGUSR1, unix.SIGUSR1, unix.SIGTERM}, "--allow", "signals", "--report", path)
		if want := []string{"ready", "10", "10"}; status != 7 || !slices.Equal(lines, want) {
			t.Errorf("waits %s: status %d, %q", waits, status, lines)
		}
		if rep := readReport(t, path); rep.Pure || !slices.Equal(rep.Doors, []string{"signals"}) {
			t.Errorf("report: %+v", rep)
		}
	}
	if _, status := send(t, "False", []syscall.Signal{unix.SIGTERM}); status != 130 {
		t.Errorf("closed: status %d", status)
	}
}
