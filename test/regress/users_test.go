package regress

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"dettrace/test/lab"
)

// Root, a user with subordinate ids and a user with one mapped id run the same
// container: event log and changes are the same bytes.
func TestSameForEveryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become others")
	}
	users := map[string]syscall.Credential{"one mapped id": {Uid: 23456, Gid: 23456}}
	if b, err := os.ReadFile("/etc/subuid"); err == nil {
		for line := range bytes.Lines(b) {
			name, _, _ := bytes.Cut(line, []byte(":"))
			if u, err := user.Lookup(string(name)); err == nil {
				uid, _ := strconv.Atoi(u.Uid)
				gid, _ := strconv.Atoi(u.Gid)
				users["subordinate ids"] = syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			}
		}
	}
	if _, ok := users["subordinate ids"]; !ok {
		t.Log("no user with subordinate ids in /etc/subuid")
	}
	if err := os.Chmod(filepath.Dir(l.Kit.Dettrace), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, script, needs string }{
		{"files", `mkdir -p a/b && echo x > a/b/f && ln a/b/f a/g && ln -s b a/l && chown 1:2 a/g && chown -h 3:4 a/l && chmod 4751 a/b/f && mkfifo p && touch -d @1 a/b && mv a/g z && rm a/b/f; ls -lRn --time-style=full-iso; stat z . /tmp /dev/null /proc; id; df .`, ""},
		{"tar", `mkdir d && for i in 1 2 3 4 5 6 7 8 9; do echo $i > d/$i; done && tar cf d.tar d && tar tvf d.tar && rm -r d && tar xf d.tar && cksum d.tar`, ""},
		{"processes", `for i in 1 2 3 4; do (echo $i $$; sleep 0.$i) & done; wait; ps -ef 2>/dev/null; cat /proc/self/status /proc/self/limits /proc/mounts; ulimit -a; umask`, ""},
		{"compiler", `printf '#include <stdio.h>\nint main(void){puts(__TIME__ __DATE__);return 0;}\n' > m.c && gcc -g -O1 -o m m.c && ./m && cksum m`, "gcc"},
		{"make -j", `printf 'all: a b c d\na b c d:\n\tsleep 0.1; echo $@ > $@\n' > Makefile && make -j4 && cat a b c d`, "make"},
		{"python", `python3 -c 'import os,time,random,tempfile,subprocess; print(os.getuid(), time.time(), random.random(), hash("x"), tempfile.mkdtemp(), subprocess.run(["id"], capture_output=True))'`, "python3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.needs); tt.needs != "" && err != nil {
				t.Skip("no " + tt.needs)
			}
			want := runAs(t, nil, tt.script)
			for name, cred := range users {
				got := runAs(t, &cred, tt.script)
				for i, what := range []string{"output", "event log", "changes"} {
					if !bytes.Equal(want[i], got[i]) {
						t.Errorf("%s: %s differs from root's: %s", name, what, firstDifference(want[i], got[i]))
					}
				}
			}
		})
	}
}

// runAs gives the output, the event log and the tar of changes.
func runAs(t *testing.T, cred *syscall.Credential, script string) [3][]byte {
	t.Helper()
	dir, err := os.MkdirTemp("", "users") // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	args := []string{"run", "--no-default-input", "-w", "/tmp", "--log", "log", "--save", "tar", "--", "sh", "-c", script}
	cmd := exec.Command(l.Kit.Dettrace, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir}
	if cred != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	r := lab.Do(t, cmd)
	if r.Status != 0 {
		t.Fatalf("%+v: status %d\n%s", cred, r.Status, r.Stderr)
	}
	out := [3][]byte{[]byte(r.Stdout)}
	for i, name := range []string{"log", "tar"} {
		if out[i+1], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func firstDifference(a, b []byte) string {
	la, lb := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(la), len(lb)) {
		if !bytes.Equal(la[i], lb[i]) {
			return "line " + strconv.Itoa(i+1) + "\n" + clip(la[i]) + "\n" + clip(lb[i])
		}
	}
	return strconv.Itoa(len(la)) + " and " + strconv.Itoa(len(lb)) + " lines"
}

func clip(b []byte) string { return strconv.Quote(string(b[:min(len(b), 200)])) }
