package regress

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/test/lab"
)

// What the guest sees of its standard streams does not depend on how dettrace
// itself was started: with terminals, files, pipes, or closed ones.
func TestStandardStreams(t *testing.T) {
	argv := []string{"--", "/bin/sh", "-c", "/probes/x id_stdio; /probes/x id_terminal; test -t 1; echo $?; stty size 2>&1; :"}
	quoted := func(argv []string) string {
		var q []string
		for _, a := range argv {
			q = append(q, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
		}
		return strings.Join(q, " ")
	}
	plain := lab.Do(t, l.Command(argv...))
	if plain.Status != 0 {
		t.Fatalf("status %d: %s", plain.Status, plain.Stderr)
	}
	cmd := quoted(l.Command(argv...).Args)
	file := filepath.Join(t.TempDir(), "out")
	tests := []struct{ name, script, needs string }{
		{"stdin is a file", cmd + " < /etc/passwd", ""},
		{"stdin is a pipe", "echo x | " + cmd, ""},
		{"stdin is closed", cmd + " <&-", ""},
		{"stdin is a directory", cmd + " < /", ""},
		{"stdout is a file", cmd + " > " + file + "; cat " + file, ""},
		{"stdout is a file at an offset", "{ echo begin; " + cmd + "; } > " + file + "; tail -n +2 " + file, ""},
		{"stdout is appended to", ": > " + file + "; " + cmd + " >> " + file + "; cat " + file, ""},
		{"stderr is stdout", cmd + " 2>&1", ""},
		{"stderr is closed", cmd + " 2>&-", ""},
		{"a terminal", "script -qec " + quoted([]string{cmd}) + " /dev/null < /dev/null", "script"},
		{"another session", "setsid -w " + cmd, "setsid"},
		{"more descriptors", cmd + " 7< /etc/passwd 9> /dev/null", ""},
		{"signals ignored", "trap '' INT QUIT PIPE USR1 HUP; " + cmd, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.needs); tt.needs != "" && err != nil {
				t.Skip("no " + tt.needs)
			}
			c := exec.Command("bash", "-c", tt.script)
			c.Env = append(os.Environ(), "TERM=vt100", "LINES=7", "COLUMNS=13")
			r := lab.Do(t, c)
			if got := strings.ReplaceAll(r.Stdout, "\r\n", "\n"); got != plain.Stdout {
				t.Errorf("differs:\n%s\nplain:\n%s", got, plain.Stdout)
			}
		})
	}
}

// Ignored and blocked signals of the caller are not inherited.
func TestInheritedSignals(t *testing.T) {
	argv := l.Command("--", "/bin/sh", "-c", "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status").Args
	plain := lab.Do(t, exec.Command(argv[0], argv[1:]...))
	ignored := lab.Do(t, exec.Command("bash", append([]string{"-c", `trap '' INT QUIT PIPE USR1 HUP CHLD TERM; exec "$@"`, "bash"}, argv...)...))
	if plain.Stdout != ignored.Stdout || plain.Stdout == "" {
		t.Errorf("plain\n%s\nignored\n%s", plain.Stdout, ignored.Stdout)
	}
}
