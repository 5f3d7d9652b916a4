// Package regress holds one test for each failure that the published
// DetTrace of 2020 shows: what must never come back.
package regress

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dettrace/test/lab"
)

var l lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &l)) }

// Its /bin/false returned 0 in 26 of 30 runs, `exit 42` in 12 of 15.
func TestStatus(t *testing.T) {
	tests := []struct {
		name string
		runs int
		want int
		argv []string
	}{
		{"false", 30, 1, []string{"/bin/false"}},
		{"exit 42", 15, 42, []string{"/bin/sh", "-c", "exit 42"}},
		{"exit of a child", 5, 7, []string{"/bin/sh", "-c", "(exit 7); exit $?"}},
		{"killed", 3, 137, []string{"/bin/sh", "-c", "kill -KILL $$"}},
		{"terminated", 3, 143, []string{"/bin/sh", "-c", "kill -TERM $$"}},
		{"child terminated", 3, 143, []string{"/bin/sh", "-c", "sh -c 'kill -TERM $$'; exit $?"}},
		{"segmentation fault", 3, 139, []string{"/bin/sh", "-c", "kill -SEGV $$"}},
		{"not found", 1, 127, []string{"/no/such/program"}},
		{"not executable", 1, 126, []string{"/etc/passwd"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.runs {
				if r := l.Run(t, append([]string{"--"}, tt.argv...)...); r.Status != tt.want {
					t.Fatalf("run %d: status %d, want %d\n%s", i, r.Status, tt.want, r.Stderr)
				}
			}
		})
	}
}

// Any call that was not in its list aborted the tool.
func TestUnlistedSyscalls(t *testing.T) {
	r := l.OK(t, "--", "/probes/x", "call", "334", "332", "435", "439", "449", "500", "1000", "-1", "425", "321")
	for _, n := range []string{"500", "1000", "-1"} {
		if !strings.Contains(r.Stdout, n+" ENOSYS\n") {
			t.Errorf("syscall %s is not ENOSYS:\n%s", n, r.Stdout)
		}
	}
}

// Only creation set a time there: make after touch said "up to date".
func TestTouchMake(t *testing.T) {
	out := l.Shell(t, `mkdir w && cd w && printf 'p: f.o g.o\n\tcat f.o g.o > p; echo LINK\nf.o: f.c\n\tcp f.c f.o; echo F\ng.o: g.c\n\tcp g.c g.o; echo G\n' > Makefile
echo f > f.c; echo g > g.c; make -s 2>&1; make 2>&1; touch f.c; make -s 2>&1; make 2>&1; echo x >> g.c; make -s 2>&1`)
	want := "F\nG\nLINK\nmake: 'p' is up to date.\nF\nLINK\nmake: 'p' is up to date.\nG\nLINK"
	if strings.ReplaceAll(strings.ReplaceAll(out, "`", "'"), "make[1]", "make") != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// configure stopped with "newly created file is older than distributed files".
func TestNewFilesAreNewer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "configure"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(20 * 365 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "configure"), future, future); err != nil {
		t.Fatal(err)
	}
	r := l.OK(t, "-i", dir+":/src", "--", "/bin/sh", "-c", `cd /src && echo x > conftest.file && set X $(ls -t configure conftest.file) && echo $* && test "$2" = conftest.file && test conftest.file -nt configure && test conftest.file -nt /bin/sh`)
	if strings.TrimSpace(r.Stdout) != "X conftest.file configure" {
		t.Errorf("got %q", r.Stdout)
	}
}

// One clock per process: five dates from one shell were the same number.
func TestFiveDates(t *testing.T) {
	last := int64(0)
	for _, f := range strings.Fields(l.Shell(t, "for i in 1 2 3 4 5; do date +%s%N; done")) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || n <= last {
			t.Fatalf("%s after %d", f, last)
		}
		last = n
	}
}

// `time sleep 5` showed 0 s.
func TestSleep(t *testing.T) {
	r := l.OK(t, "--", "/bin/bash", "-c", `TIMEFORMAT=%R; { time sleep 5; } 2>&1`)
	if !strings.HasPrefix(r.Stdout, "5.0") && !strings.HasPrefix(r.Stdout, "5.1") {
		t.Errorf("time shows %q", r.Stdout)
	}
	if r.Wall > 2*time.Second {
		t.Errorf("took %v", r.Wall)
	}
}

// A thread that spins on memory kept the turn until --timeout.
func TestSpinGivesUpTurn(t *testing.T) {
	for _, probe := range []string{"spin_flag", "spin_flag_pause"} {
		t.Run(probe, func(t *testing.T) { l.OK(t, "--", "/probes/x", probe) })
	}
}

// These hung.
func TestHangs(t *testing.T) {
	tests := []struct{ name, script, want, needs string }{
		{"make -j2", `mkdir w; cd w; printf 'all: a b c d\n\t@echo all\na b c d:\n\t@echo $@ > $@; sleep 0.1\n' > Makefile; make -s -j2; cat a b c d | tr '\n' ' '`, "all\na b c d", "make"},
		{"fifo", `mkfifo p; echo hello > p & cat p; wait`, "hello", ""},
		{"fifo, reader first", `mkfifo p; cat p & echo hello > p; wait`, "hello", ""},
		{"node", `node -e 'console.log(6*7)'`, "42", "node"},
		{"background and wait", `for i in 1 2 3; do (sleep $i; echo $i) & done; wait`, "1\n2\n3", ""},
		{"pselect", `bash -c 'read -t 1 x < <(sleep 2; echo late); echo $?'`, "142", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.needs); tt.needs != "" && err != nil {
				t.Skip("no " + tt.needs)
			}
			if got := l.Shell(t, tt.script); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJavac(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("no javac")
	}
	if got := l.Shell(t, `echo 'class A { public static void main(String[] a) { System.out.println("java"); } }' > A.java && javac A.java && java A`); got != "java" {
		t.Errorf("got %q", got)
	}
}

// All blocked was polled for ever instead of reported.
func TestDeadlock(t *testing.T) {
	tests := []struct{ name, script, call string }{
		{"fifo without a writer", `mkfifo p; cat p`, "open"},
		{"own pipe", `bash -c 'mkfifo p; exec 3<>p; read x <&3'`, "read"},
		{"wait for a stopped child", `bash -c 'sh -c "kill -STOP \$\$" & wait'`, "wait"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := l.Run(t, "--", "/bin/sh", "-c", tt.script)
			if r.Status != 125 || !strings.Contains(r.Stderr, "deadlock") || !strings.Contains(r.Stderr, tt.call) {
				t.Errorf("status %d, want 125 and a deadlock that names %s:\n%s", r.Status, tt.call, r.Stderr)
			}
		})
	}
}

// These aborted.
func TestAborts(t *testing.T) {
	tests := []struct{ name, script, want, needs string }{
		{"kill", `sleep 100 & kill $!; wait $!; echo $?`, "143", ""},
		{"timeout", `timeout 1 sleep 100; echo $?`, "124", "timeout"},
		{"timeout not reached", `timeout 100 sleep 1; echo $?`, "0", "timeout"},
		{"timeout kills", `timeout -s KILL 1 sleep 100; echo $?`, "137", "timeout"},
		{"ps", `ps -e -o comm= > f; grep -c '^sh$' f`, "1", "ps"},
		{"more", `echo page > f; more f < /dev/null | tail -1`, "page", "more"},
		{"exec from a thread", `/probes/x proc_exec_thread | sed 's/[0-9][0-9]*/N/g'`, "pid N tid N\npid N tid N", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.needs); tt.needs != "" && err != nil {
				t.Skip("no " + tt.needs)
			}
			if got := l.Shell(t, tt.script); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// AT_RANDOM leaked: the order of a Go program's goroutines changed; so did
// the number of CPUs, uptime, version, uuid.
func TestLeaks(t *testing.T) {
	tests := []struct{ name, script, host string }{
		{"AT_RANDOM", "/probes/x rnd_auxv; /probes/x rnd_canary", ""},
		{"go maps", "/probes/gox map; /probes/gox select; /probes/gox goroutines", ""},
		{"version", "cat /proc/version; uname -a", "uname -rv"},
		{"uuid", "cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id", "cat /proc/sys/kernel/random/boot_id"},
		{"cpuinfo", "cat /proc/cpuinfo", "grep -m1 MHz /proc/cpuinfo"},
		{"uptime", "cat /proc/uptime; uptime", ""},
		{"machine-id", "cat /etc/machine-id", "cat /etc/machine-id"},
		{"sys", "ls -R /sys | cksum; cat /sys/kernel/uevent_seqnum 2>&1", ""},
		{"host name", "hostname; uname -n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := l.Shell(t, tt.script)
			if tt.host == "" {
				return
			}
			host, err := exec.Command("sh", "-c", tt.host).Output()
			if h := strings.TrimSpace(string(host)); err == nil && h != "" && strings.Contains(got, h) {
				t.Errorf("shows the host's %q:\n%s", h, got)
			}
		})
	}
	if got := l.Shell(t, "nproc; getconf _NPROCESSORS_ONLN; grep -c ^processor /proc/cpuinfo"); got != "1\n1\n1" {
		t.Errorf("number of CPUs: %q", got)
	}
	if r := l.OK(t, "--cpus", "3", "--", "/bin/sh", "-c", "nproc; grep -c ^processor /proc/cpuinfo"); r.Stdout != "3\n3\n" {
		t.Errorf("number of CPUs of three: %q", r.Stdout)
	}
}

// rewinddir then readdir returned nothing; hard links showed one name; df
// showed 225 %.
func TestFiles(t *testing.T) {
	for _, name := range []string{"dir_order", "dir_seek", "file_nlink", "file_times", "file_unlinked", "dir_delete"} {
		t.Run(name, func(t *testing.T) { l.Shell(t, "mkdir w && cd w && /probes/x "+name) })
	}
	got := l.Shell(t, "echo x > a; ln a b; ln a c; stat -c %h a b c | tr '\\n' ' '; rm b; stat -c %h a")
	if got != "3 3 3 2" {
		t.Errorf("names of a file: %q", got)
	}
	for _, f := range strings.Fields(l.Shell(t, "df / | tail -1")) {
		if p, ok := strings.CutSuffix(f, "%"); ok {
			if n, err := strconv.Atoi(p); err != nil || n > 100 {
				t.Errorf("df shows %s", f)
			}
		}
	}
}

// getrandom had 16 bits of state, and seed 0 gave zeros only.
func TestSeeds(t *testing.T) {
	seen := map[string]string{}
	for _, seed := range []string{"0", "1", "2", "65536", "65537", "18446744073709551615"} {
		r := l.OK(t, "--seed", seed, "--", "/probes/x", "rnd_getrandom")
		if other, ok := seen[r.Stdout]; ok {
			t.Errorf("seeds %s and %s give the same", seed, other)
		}
		seen[r.Stdout] = seed
		if strings.Contains(r.Stdout, "00000000") {
			t.Errorf("seed %s: zeros in %s", seed, r.Stdout)
		}
	}
}

// It wrote .pyc files into the user's tree and left FIFOs in /tmp.
func TestHostNotWritten(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mod.py"), []byte("x = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := names(t, os.TempDir())
	r := l.OK(t, "-i", dir+":/src", "--", "/bin/sh", "-c", `cd /src && python3 -c 'import mod' && ls __pycache__ | wc -l && mkfifo /tmp/fifo-of-the-guest && echo changed > mod.py`)
	if strings.TrimSpace(r.Stdout) != "1" {
		t.Errorf("python wrote no cache inside: %q", r.Stdout)
	}
	if got := names(t, dir); got != "mod.py" {
		t.Errorf("the input now holds %s", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "mod.py")); err != nil || string(b) != "x = 1\n" {
		t.Errorf("the input was changed: %q, %v", b, err)
	}
	if after := names(t, os.TempDir()); strings.Contains(after, "fifo-of-the-guest") || strings.Count(after, "dettrace") > strings.Count(before, "dettrace") {
		t.Errorf("left behind: %s", after)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	e, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var n []string
	for _, x := range e {
		n = append(n, x.Name())
	}
	return strings.Join(n, " ")
}

// Time counted the calls of the C library: the same work in a static and in a
// dynamic program may differ in its start, never in how long a sleep takes.
func TestTimeIsNotCallCount(t *testing.T) {
	r := l.OK(t, "--", "/bin/sh", "-c", "date -u +%F; /probes/xs time_agree > /dev/null; /probes/x time_agree > /dev/null; for i in $(seq 500); do :; done; date -u +%F")
	if r.Stdout != "2026-01-01\n2026-01-01\n" {
		t.Errorf("got %q", r.Stdout)
	}
}

// The kernel's clock pages lie below the vDSO, readable past any function.
func TestNoClockPages(t *testing.T) {
	out := l.Shell(t, `grep -E 'vvar|vdso' /proc/self/maps; (exec grep -c vdso /proc/self/maps)`)
	if strings.Contains(out, "vvar") || strings.Count(out, "[vdso]") != 1 || !strings.HasSuffix(out, "1") {
		t.Errorf("got\n%s", out)
	}
}
