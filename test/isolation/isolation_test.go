// Package isolation tests that a hostile guest gets nowhere: not out of its
// files, its network, its processes or its tracer, and that nothing stays
// behind however a run ends.
package isolation

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dettrace/test/lab"
)

var l lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &l)) }

// hashTree digests names, modes, owners, sizes, times, inodes and contents.
func hashTree(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(p, &st); err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %o %d %d %d %d %d %d\n", p, st.Mode, st.Uid, st.Gid, st.Size, st.Mtim, st.Ctim, st.Ino)
		if d.Type().IsRegular() {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			h.Write(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// hashHost digests the metadata of the host's own directories that a guest
// with a hole would reach first.
func hashHost(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, dir := range []string{"/", "/etc", "/bin/", "/usr", "/usr/bin", "/usr/local/bin", "/var", "/opt", "/lib/"} {
		e, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, x := range e {
			p := filepath.Join(dir, x.Name())
			switch p {
			// Where the host itself, or whoever works on it, writes meanwhile.
			case "/tmp", "/proc", "/sys", "/run", "/dev", "/root", "/home", "/var/tmp", "/var/log", "/var/cache", "/var/lib":
				continue
			}
			var st syscall.Stat_t
			if syscall.Lstat(p, &st) == nil {
				fmt.Fprintf(&out, "%s %o %d %d %d\n", p, st.Mode, st.Size, st.Mtim, st.Ino)
			}
		}
	}
	return out.String()
}

// firstDiff is the first line of two listings that differs.
func firstDiff(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + " became " + y[i]
		}
	}
	return "names came or went"
}

// input makes a tree of all kinds of files.
func input(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "one", "d/b": "two", "d/e/c": "three"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", filepath.Join(dir, "soft")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A guest that changes everything it can reach changes nothing on the host.
func TestHostIsNotChanged(t *testing.T) {
	dir := input(t)
	tree, host := hashTree(t, dir), hashHost(t)
	scripts := []struct{ name, script string }{
		{"write", `cd /in && echo x >> a; echo y > hard; : > d/b; chmod 777 d; chown 5:5 a; touch a; mkdir n; ln a n/l; mv d n; rm -rf soft`},
		{"remove all", `rm -rf /in /probes /etc /usr/share /var 2>/dev/null; exit 0`},
		{"system files", `echo evil >> /etc/passwd; cp /bin/sh /bin/evil; chmod 4777 /bin/sh; ln -sf /tmp/x /etc/hostname; mkdir /new; echo x > /new/file; mv /usr/bin/env /usr/bin/env2`},
		{"shared mapping", `python3 -c 'import mmap; f=open("/in/a","r+b"); m=mmap.mmap(f.fileno(),0); m[0]=88; m.flush()' || :`},
		{"special files", `mkfifo /in/p; mknod /in/null c 1 3; mknod /in/sda b 8 0; echo x > /in/null; :`},
		{"xattr", `setfattr -n user.x -v y /in/a 2>/dev/null || :; truncate -s 1G /in/a; fallocate -l 1M /in/hard 2>/dev/null; :`},
	}
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			r := l.Run(t, "-i", dir+":/in", "--", "/bin/sh", "-c", s.script)
			if r.Status == 125 {
				t.Errorf("run failed: %s", r.Stderr)
			}
			if got := hashTree(t, dir); got != tree {
				t.Error("the input was changed")
			}
			if got := hashHost(t); got != host {
				t.Errorf("the host was changed: %s", firstDiff(host, got))
			}
		})
	}
}

// limit lies between the container's time and the host's.
func limit() string { return strconv.FormatInt(time.Now().Unix()-3600, 10) }

// Attempts to leave the tracer, the root, the namespaces.
func TestEscapes(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o644); err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	name := fmt.Sprintf("dettrace-isolation-%d", os.Getpid())
	abstract, err := net.Listen("unix", "@"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	host := hashHost(t)
	tests := [][]string{
		{"escape_untraced", limit()},
		{"escape_time", limit()},
		{"escape_network", strconv.Itoa(tcp.Addr().(*net.TCPAddr).Port), name, path},
		{"escape_processes", strconv.Itoa(os.Getpid())},
		{"escape_root", secret},
		{"escape_mount"},
		{"refused_ptrace"},
		{"refused_int80"},
		{"refused_x32"},
		{"time_vsyscall"},
	}
	for _, tt := range tests {
		t.Run(tt[0], func(t *testing.T) {
			a := l.OK(t, append([]string{"--", "/probes/x"}, tt...)...)
			b := l.OK(t, append([]string{"--", "/probes/x"}, tt...)...)
			if a.Stdout != b.Stdout {
				t.Errorf("two runs differ:\n%s\n%s", a.Stdout, b.Stdout)
			}
			if strings.Contains(a.Stdout, "the pid") {
				t.Errorf("a call got through another door:\n%s", a.Stdout)
			}
		})
	}
	if hashHost(t) != host {
		t.Error("the host was changed")
	}
}

// Every call of the refused list fails inside; none ends the supervisor.
func TestRefused(t *testing.T) {
	r := l.OK(t, "--", "/probes/x", "refused")
	ok := map[string]bool{"landlock_create_ruleset": true, "landlock_add_rule": true, "landlock_restrict_self": true, "chroot": true, "setns": true}
	n := 0
	for line := range strings.Lines(r.Stdout) {
		name, e, _ := strings.Cut(strings.TrimSpace(line), " ")
		n++
		switch e[strings.LastIndexByte(e, ' ')+1:] {
		case "ENOSYS", "EPERM", "EACCES", "EOPNOTSUPP", "ENODEV":
		default:
			if !ok[name] {
				t.Errorf("%s: %s", name, e)
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d calls were tried:\n%s", n, r.Stdout)
	}
}

// What a guest cannot see of the host.
func TestHostIsNotSeen(t *testing.T) {
	home := "/root"
	tests := []struct{ name, script, want string }{
		{"shadow", "cat /etc/shadow /etc/gshadow 2>/dev/null | wc -c", "0"},
		{"keys", "cat /etc/ssh/ssh_host_*_key 2>/dev/null | wc -c", "0"},
		{"home", "ls -A " + home + " /home /mnt /media /srv /run 2>/dev/null | grep -v : | grep -v '^$' | grep -v '^lock$' | wc -l", "0"}, // /run/lock is ours
		{"kernel log", "dmesg 2>/dev/null | wc -c", "0"},
		{"kernel symbols", "grep -v '^0* ' /proc/kallsyms 2>/dev/null | wc -l", "0"},
		{"capabilities", "grep CapBnd /proc/self/status | wc -l", "1"},
		{"no new privileges", "grep -c 'NoNewPrivs:.1' /proc/self/status", "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := l.Shell(t, tt.script); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Set-id files, devices and links are not planted through outputs.
func TestOutputs(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, script string
		check        func(t *testing.T, out string)
	}{
		{"set-id", `mkdir /out; cp /bin/sh /out/sh; chown 0:0 /out/sh; chmod 6755 /out/sh; mkdir /out/d; chmod 2777 /out/d`, func(t *testing.T, out string) {
			for _, n := range []string{"sh", "d"} {
				fi, err := os.Lstat(filepath.Join(out, n))
				if err != nil {
					t.Error(err)
				} else if fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
					t.Errorf("%s has mode %v", n, fi.Mode())
				}
			}
		}},
		{"device", `mkdir /out; echo x > /out/ok; mknod /out/null c 1 3; mknod /out/disk b 8 0; mkfifo /out/fifo; :`, func(t *testing.T, out string) {
			for _, n := range []string{"null", "disk"} {
				if fi, err := os.Lstat(filepath.Join(out, n)); err == nil && fi.Mode()&fs.ModeDevice != 0 {
					t.Errorf("%s is a device", n)
				}
			}
		}},
		{"link over", `mkdir /out; ln -s ` + victim + ` /out/victim; ln -s ` + filepath.Dir(victim) + ` /out/dir; ln -s / /out/root`, func(t *testing.T, out string) {}},
		{"the output is a link", `ln -s ` + filepath.Dir(victim) + ` /out; echo new > /out/victim 2>/dev/null; :`, func(t *testing.T, out string) {}},
		{"dots", `mkdir -p /out/x; cd /out/x; ln -s ../../../../../../../.. up; echo x > f`, func(t *testing.T, out string) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "result")
			r := l.RunIn(t, dir, nil, "-o", "/out:"+out, "--", "/bin/sh", "-c", tt.script)
			t.Logf("status %d %s", r.Status, r.Stderr)
			if r.Status == 0 {
				tt.check(t, out)
			}
			if b, err := os.ReadFile(victim); err != nil || string(b) != "old" {
				t.Errorf("the victim holds %q, %v", b, err)
			}
			if e, err := os.ReadDir(filepath.Dir(victim)); err != nil || len(e) != 1 {
				t.Errorf("files were planted: %v %v", e, err)
			}
		})
	}
}
