// Package terminal tests runs with a terminal: a person at one of the host's, job
// control in the guest, records and their replays.
package terminal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dettrace/test/lab"
)

var tty lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &tty)) }

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if string(x) != string(y) {
		d, err := lab.FirstEvent(a, b)
		t.Errorf("%s and %s differ: %s %v", a, b, d, err)
	}
}

// sessions are what people do in a shell. Each is typed by a person and then
// replayed, once with and once without fast paths.
func sessions() map[string]struct {
	command []string
	talk    func(p *lab.Person)
	status  int
	logs    bool
} {
	type session = struct {
		command []string
		talk    func(p *lab.Person)
		status  int
		logs    bool // equal, too
	}
	bash := []string{"bash", "--norc", "-i"}
	dash := []string{"dash", "-i"}
	zsh := []string{"zsh", "-f", "-i"}
	jobs := func(p *lab.Person) {
		p.Expect("# ")
		p.Type("cat\r")
		p.Type("one\r")
		p.Expect("one\r\none\r\n")
		p.Type("\x1a") // ^Z
		p.Expect("# ")
		p.Type("echo x$((3*7))x; bg; fg\r")
		p.Expect("x21x")
		p.Expect("cat\r\n")
		p.Type("two\r")
		p.Expect("two\r\ntwo\r\n")
		p.Type("\x04") // ^D
		p.Expect("# ")
		p.Type("exit 3\r")
	}
	return map[string]session{
		"jobs in bash": {bash, jobs, 3, true},
		"jobs in dash": {dash, jobs, 3, true},
		"jobs in zsh":  {zsh, jobs, 3, true},
		"interrupt": {bash, func(p *lab.Person) {
			p.Expect("# ")
			p.Type("sh -c 'echo g''o; exec sleep infinity'\r")
			p.Expect("go\r\n")
			p.Type("\x03") // ^C
			p.Expect("^C")
			p.Expect("# ")
			p.Type("echo $?; cat\r")
			p.Expect("130\r\n")
			p.Type("one\r")
			p.Expect("one\r\none\r\n")
			p.Type("tw\x03")
			p.Expect("# ")
			p.Type("\x04")
		}, 130, true},
		"interrupt a busy loop": {bash, func(p *lab.Person) {
			p.Expect("# ")
			p.Type("awk 'BEGIN { print \"g\" \"o\"; fflush(); while (1) i++ }'\r")
			p.Expect("go\r\n")
			p.Type("\x03")
			p.Expect("# ")
			p.Type("exit 4\r")
		}, 4, true},
		// It catches the signal at another instruction.
		"interrupt a busy shell": {bash, func(p *lab.Person) {
			p.Expect("# ")
			p.Type("echo g''o; while :; do :; done\r")
			p.Expect("go\r\n")
			p.Type("\x03")
			p.Expect("# ")
			p.Type("exit 4\r")
		}, 4, false},
		"keys without lines": {[]string{"/bin/sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=3 2>/dev/null | od -An -c; dd bs=100 count=1 2>/dev/null | od -An -c; stty sane; echo end"}, func(p *lab.Person) {
			p.Expect("ready")
			p.Type("\x1b[A")
			p.Expect("033   [   A")
			p.Type("\x03")
			p.Expect("003")
			p.Expect("end")
		}, 0, true},
		"an editor": {[]string{"busybox", "vi", "/tmp/text"}, func(p *lab.Person) {
			p.Expect("/tmp/text")
			p.Type("ihello\rworld")
			p.Expect("world")
			p.Type("\x1b")
			p.Expect("\x1b[2;5H") // the cursor goes back
			p.Type("kx")
			p.Expect("\x1b[1;4H")
			p.Type(":wq\r")
			p.Expect("2L, 11C")
		}, 0, true},
		"an interpreter": {[]string{"python3", "-q"}, func(p *lab.Person) {
			p.Expect(">>> ")
			p.Type("import signal; 6 * 7\r")
			p.Expect("42\r\n")
			p.Expect(">>> ")
			p.Type("input('name? ')\r")
			p.Expect("name? ")
			p.Type("me\r")
			p.Expect("'me'\r\n")
			p.Expect(">>> ")
			p.Type("print('g' + 'o'); signal.pause()\r")
			p.Expect("go\r\n")
			p.Type("\x03")
			p.Expect("KeyboardInterrupt")
			p.Expect(">>> ")
			p.Type("\x04")
		}, 130, true},
		"terminals in the terminal": {[]string{"tmux", "-f", "/dev/null", "new-session", "sh"}, func(p *lab.Person) {
			p.Expect("# ")
			p.Type("tty; echo on''e\r")
			p.Expect("/dev/pts/1")
			p.Expect("one")
			p.Type("\x02c") // a second window
			p.Expect("1:sh")
			p.Type("tty; echo tw''o\r")
			p.Expect("/dev/pts/2")
			p.Expect("two")
			p.Type("tmux kill-server\r")
			p.Expect("exited")
		}, 1, true},
		"keys with a time": {[]string{"/bin/sh", "-c", "stty -icanon min 0 time 5; echo ready; dd bs=9 count=1 2>/dev/null; date +%s.%N; stty min 1 time 0; echo go; dd bs=1 count=1 2>/dev/null"}, func(p *lab.Person) {
			p.Expect("ready")
			p.Expect("1000000000.5") // set by the test's --epoch
			p.Expect("go")
			p.Type("x")
		}, 0, true},
		"typed ahead": {bash, func(p *lab.Person) {
			p.Expect("# ")
			p.Type("read a; read b; echo \"<$a $b>\"\rone\rtwo\r")
			p.Expect("<one two>")
			p.Type("for i in 1 2 3; do read -t 0 && echo there; done; exit 5\r")
		}, 5, true},
	}
}

func TestSessions(t *testing.T) {
	for name, s := range sessions() {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(s.command[0]); err != nil {
				t.Skip("no " + s.command[0])
			}
			dir := t.TempDir()
			args := func(more ...string) []string {
				return append(append([]string{"--tty", "--epoch", "@1000000000"}, more...), append([]string{"--"}, s.command...)...)
			}
			file := func(name string) string { return filepath.Join(dir, name) }
			p := lab.Sit(t, tty.Command(args("--record", file("record"), "--log", file("log"), "--save", file("tar"), "--report", file("report"))...))
			s.talk(p)
			status, seen := p.End()
			if status != s.status || !p.Restored() {
				t.Fatalf("status %d, terminal restored: %v\n%s", status, p.Restored(), seen)
			}
			if b, err := os.ReadFile(file("report")); err != nil || !strings.Contains(string(b), `"typed input"`) || !strings.Contains(string(b), `"pure": false`) {
				t.Errorf("the report does not say that somebody typed: %v", err)
			}
			for i, more := range [][]string{{"--log", file("log2")}, {"--no-fast-paths"}, {}} {
				r := tty.Run(t, args(append([]string{"--stdin-replay", file("record"), "--save", file("tar2"), "--force", "--report", file("report2")}, more...)...)...)
				if r.Status != s.status || !strings.HasPrefix(seen, r.Stdout) {
					t.Errorf("replay %d: status %d\n%s\n%s\n%s", i, r.Status, r.Stderr, r.Stdout, seen)
				}
				same(t, file("tar"), file("tar2"))
				if b, err := os.ReadFile(file("report2")); err != nil || !strings.Contains(string(b), `"pure": true`) {
					t.Errorf("replay %d is not pure: %v", i, err)
				}
			}
			if s.logs {
				same(t, file("log"), file("log2"))
			}
		})
	}
}

// script runs a command with the input typed by a file, and wants the same twice
// and without fast paths.
func script(t *testing.T, input string, args ...string) lab.Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	var first lab.Result
	for i, more := range [][]string{{}, {"--no-fast-paths"}, {"--log", filepath.Join(t.TempDir(), "log")}} {
		r := tty.Run(t, append(append([]string{"--tty", "--stdin", file}, more...), args...)...)
		if i == 0 {
			first = r
		} else if r.Stdout != first.Stdout || r.Status != first.Status {
			t.Errorf("run %d: status %d, %q\nfirst: %d, %q", i, r.Status, r.Stdout, first.Status, first.Stdout)
		}
	}
	return first
}

func TestScript(t *testing.T) {
	for _, c := range []struct {
		name, input, command string
		status               int
		want                 string // of standard output, at its end
	}{
		{"no input", "", "tty; stty size; echo $TERM; test -t 0 && test -t 1 && test -t 2 && tty </dev/tty >/dev/null; ls -l /dev/tty | cut -c1", 0, "/dev/pts/0\r\n24 80\r\nxterm\r\nc\r\n"},
		{"end of file", "one\ntwo\n", "cat; echo end", 0, "one\r\none\r\ntwo\r\ntwo\r\nend\r\n"},
		{"no line at the end", "one", "cat; echo; echo end", 0, "oneone\r\nend\r\n"},
		{"hang-up", "", "stty raw; while :; do dd bs=1 count=1 >/dev/null 2>&1 || exit 7; done", 129, ""},
		{"interrupt", "\x03", "cat", 130, "^C"},
		{"quit, to a handler", "\x1c", "trap 'echo quit; exit 5' QUIT; read x", 5, "^\\quit\r\n"},
		{"output stops and starts", "\x13x\x11\n", "echo a; read x; echo \"<$x>\"", 0, "<x>\r\n"},
		{"a session of its own", "", "ps -o pid= -o sid= -o tpgid= -o tty= -p $$", 0, "pts/0\r\n"},
		{"background read", "x\n", "set -m; (read y; echo bg $y) & sleep 1; jobs | grep -c Stopped; read x; echo fg $x; kill -9 %1", 0, "fg x\r\n"},
		{"who polls is served in the end", "x", "exec python3 -c 'import os\nos.system(\"stty raw\"); os.set_blocking(0, False)\nn = 0\nwhile True:\n  try:\n    print(os.read(0, 9), end=\"\"); break\n  except BlockingIOError: n += 1'", 0, "b'x'"},
		{"who looks by epoll is served", "x\n", "exec python3 -c 'import os, select\ne = select.epoll(); e.register(0, select.EPOLLIN)\nwhile not e.poll(0): pass\nprint(os.read(0, 9))'", 0, "b'x\\n'\r\n"},
		{"who looks by FIONREAD is served", "x\n", "exec python3 -c 'import os, fcntl, termios\nwhile not any(fcntl.ioctl(0, termios.FIONREAD, bytes(4))): pass\nprint(os.read(0, 9))'", 0, "b'x\\n'\r\n"},
		{"it is typed before an event that would not stop", "\x03", "exec python3 -c 'import os, signal\nos.set_blocking(0, False)\nn = 0\ndef end(*a):\n  print(n, flush=True); os._exit(0)\nsignal.signal(signal.SIGINT, end)\nwhile True:\n  try: os.read(0, 9)\n  except BlockingIOError: pass\n  for i in range(30): os.access(\"/\", 0); n += 1'", 0, "\r\n"},
		{"size is the guest's", "", "stty cols 100; stty size", 0, "24 100\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := script(t, c.input, "--", "/bin/sh", "-c", c.command)
			if r.Status != c.status || !strings.HasSuffix(r.Stdout, c.want) {
				t.Errorf("status %d, want %d\n%q, want %q\n%s", r.Status, c.status, r.Stdout, c.want, r.Stderr)
			}
		})
	}
}

// More output than a pty has room for, in large pieces, with and without O_NONBLOCK.
func TestMuchOutput(t *testing.T) {
	for _, blocking := range []string{"True", "False"} {
		r := script(t, "", "--", "python3", "-c", `import os
os.set_blocking(1, `+blocking+`)
line = b"0123456789abcde\n" * 20000
while line:
    line = line[os.write(1, line):]
os.writev(1, [b"a" * 3000, b"", b"b" * 9000])`)
		want := strings.Repeat("0123456789abcde\r\n", 20000) + strings.Repeat("a", 3000) + strings.Repeat("b", 9000)
		if r.Status != 0 || r.Stdout != want {
			t.Errorf("blocking %s: status %d, %d bytes, want %d\n%s", blocking, r.Status, len(r.Stdout), len(want), r.Stderr)
		}
	}
}

// Whatever ends the run, the host's terminal is as it was.
func TestRestored(t *testing.T) {
	prompt := []string{"/bin/sh", "-c", "echo ready; read x"}
	for _, c := range []struct {
		name    string
		args    []string
		command []string
		talk    func(p *lab.Person)
		status  int
	}{
		{"command ends", nil, prompt, func(p *lab.Person) { p.Type("\r") }, 0},
		{"command is killed", nil, prompt, func(p *lab.Person) { p.Type("\x1c") }, 131},
		{"SIGTERM", nil, prompt, func(p *lab.Person) { p.Signal(syscall.SIGTERM) }, 130},
		{"SIGHUP", nil, prompt, func(p *lab.Person) { p.Signal(syscall.SIGHUP) }, 130},
		{"timeout", []string{"--timeout", "1"}, prompt, func(*lab.Person) {}, 124},
		{"strict", []string{"--strict"}, prompt, func(p *lab.Person) { p.Type("x") }, 125},
		{"no such command", nil, []string{"/nonexistent"}, nil, 127},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.Sit(t, tty.Command(append(append([]string{"--tty"}, c.args...), append([]string{"--"}, c.command...)...)...))
			if c.talk != nil {
				p.Expect("ready\r\n")
				if !p.Raw() {
					t.Error("the terminal is not in raw mode")
				}
				c.talk(p)
			}
			if status, seen := p.End(); status != c.status || !p.Restored() {
				t.Errorf("status %d, want %d, restored: %v\n%s", status, c.status, p.Restored(), seen)
			}
		})
	}
}

// The shell takes what there is, and typed input may come through a pipe.
func TestShell(t *testing.T) {
	c := exec.Command(tty.Kit.Dettrace, "shell", "--image", "host", "--no-default-input", "-w", "/tmp", "--record", filepath.Join(t.TempDir(), "r"))
	c.Stdin = strings.NewReader("tty\nexit 6\n")
	if r := lab.Do(t, c); r.Status != 6 || !strings.Contains(r.Stdout, "/dev/pts/0\r\n") {
		t.Errorf("status %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
}

// On a terminal a failed command is followed by a shell where it stopped.
func TestShellOnFailure(t *testing.T) {
	state := t.TempDir()
	c := tty.Command("--on-failure", "shell", "--state-dir", state, "-e", "FOO=bar", "--", "/bin/sh", "-c", "echo made > file; exit 9")
	p := lab.Sit(t, c)
	p.Expect("the command failed with status 9")
	p.Expect("# ")
	p.Type("echo $FOO $(cat file) $PWD\r")
	p.Expect("bar made /tmp")
	p.Type("exit 0\r")
	status, seen := p.End()
	left, err := os.ReadDir(state)
	if status != 9 || !p.Restored() || err != nil || len(left) != 0 {
		t.Errorf("status %d, restored: %v, left: %v %v\n%s", status, p.Restored(), left, err, seen)
	}
}

// A run that takes long shows one line on a terminal, which gives way at the end.
func TestProgressLine(t *testing.T) {
	c := tty.Command("--", "/bin/sh", "-c", "while :; do :; done")
	c.Env = append(os.Environ(), "TERM=xterm")
	p := lab.Sit(t, c)
	p.Expect("\r\x1b[Krun, 1 process, logical time ")
	p.Type("\x03") // ^C
	status, seen := p.End()
	if status != 130 || !strings.Contains(seen, "\r\x1b[Kdettrace: error: interrupted\r\n") {
		t.Errorf("status %d\n%q", status, seen)
	}
}
