package initproc

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runScript runs the program with a script and returns its messages. The
// program then fails at ns_last_pid, which is not there.
func runScript(t *testing.T, s *Script) [][]byte {
	t.Helper()
	prog := filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(prog, Build(&Params{Script: s}).File, 0o755); err != nil {
		t.Fatal(err)
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "control")
	cmd := exec.Command(prog)
	cmd.ExtraFiles = []*os.File{theirs} // ControlFD
	_ = cmd.Run()                       // it always fails
	theirs.Close()
	var out [][]byte
	for {
		b := make([]byte, 64)
		n, err := syscall.Read(pair[0], b)
		if n <= 0 || err != nil {
			return out
		}
		out = append(out, b[:n])
	}
}

// scriptError is the end of a program whose script failed.
func scriptError(t *testing.T, s *Script) *StepError {
	t.Helper()
	out := runScript(t, s)
	if len(out) == 0 {
		t.Fatal("no message")
	}
	_, err := ParseMessage(out[len(out)-1])
	var e *StepError
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error of the script", err)
	}
	return e
}

// say is a step that writes a line to the control socket.
func say(s *Script, text string) {
	s.Add(Step{NR: syscall.SYS_WRITE, Args: [6]uint64{ControlFD, s.String(text), uint64(len(text))}})
}

// bad is a step that fails with ENOENT.
func bad(s *Script) *Step {
	return s.Add(Step{NR: syscall.SYS_CHDIR, Args: [6]uint64{s.String("/nowhere/at/all")}})
}

func TestScript(t *testing.T) {
	s := &Script{}
	say(s, "a")
	p := bad(s) // allowed, the fourth of the errnos; the next one is left out
	p.Allow, p.Skip = [4]uint16{1, 3, 4, uint16(syscall.ENOENT)}, 1
	say(s, "not this")
	bad(s).Ignore = true
	say(s, "b")
	s.steps[len(s.steps)-1].Then = 1 // after success the next one is left out
	say(s, "nor this")
	p = bad(s) // but not after an errno that is allowed
	p.Allow[0], p.Then = uint16(syscall.ENOENT), 1
	fd := s.Space(8) // an address of a value instead of the value
	say(s, "and")
	s.Add(Step{NR: syscall.SYS_DUP, Args: [6]uint64{ControlFD}, Save: fd})
	s.Add(Step{NR: syscall.SYS_WRITE, Args: [6]uint64{fd, s.String("c"), 1}, From: 1})
	failed := s.Space(8) // a step that depends on another one
	p = bad(s)
	p.Ignore, p.Save = true, failed
	say(s, "not that")
	s.steps[len(s.steps)-1].Unless = failed
	say(s, "d")
	s.steps[len(s.steps)-1].Unless = fd
	word := s.Words(0, 42) // and memory
	s.Put(word, []byte("e"))
	s.Add(Step{NR: syscall.SYS_WRITE, Args: [6]uint64{ControlFD, word, 16}})
	var got []string
	out := runScript(t, s)
	for _, b := range out[:len(out)-1] {
		got = append(got, string(b))
	}
	if want := "a b and c d e" + strings.Repeat("\x00", 7) + "*" + strings.Repeat("\x00", 7); strings.Join(got, " ") != want {
		t.Errorf("messages %q, want %q", got, want)
	}
	if _, err := ParseMessage(out[len(out)-1]); err == nil || !strings.HasPrefix(err.Error(), "init: write ns_last_pid: ") {
		t.Errorf("after the script: %v", err)
	}
}

func TestScriptFails(t *testing.T) {
	for name, c := range map[string]struct {
		add   func(*Script)
		errno syscall.Errno
	}{
		"error":       {func(s *Script) { bad(s) }, syscall.ENOENT},
		"other errno": {func(s *Script) { bad(s).Allow = [4]uint16{1, 3, 4, 5} }, syscall.ENOENT},
		"descriptor":  {func(s *Script) { s.Add(Step{NR: syscall.SYS_FSYNC, Args: [6]uint64{s.Words(77)}, From: 1}) }, syscall.EBADF},
		"end of file": {func(s *Script) {
			null := s.Space(8)
			const at = ^uint64(99) // AT_FDCWD
			s.Add(Step{NR: syscall.SYS_OPENAT, Args: [6]uint64{at, s.String("/dev/null"), syscall.O_RDONLY}, Save: null})
			s.Add(Step{NR: syscall.SYS_READ, Args: [6]uint64{null, s.Space(8), 8}, From: 1, Some: true})
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Script{}
			say(s, "a")
			c.add(s)
			n := s.Len() - 1
			say(s, "not this")
			if e := scriptError(t, s); e.Step != n || c.errno != 0 && !errors.Is(e, c.errno) || c.errno == 0 && e.Err.Error() != "unexpected result 0" {
				t.Errorf("step %d: %v; want step %d: %v", e.Step, e.Err, n, c.errno)
			}
		})
	}
}

// A step has exactly the fields of init_amd64.s.
func TestStepSize(t *testing.T) {
	s := &Script{}
	bad(s)
	bad(s)
	mem := len(s.mem)
	if b := s.encode(); len(b) != mem+2*stepSize || s.end()-s.first() != 2*stepSize || s.first() != scriptBase+uint64(mem) {
		t.Errorf("%d bytes, steps from %#x to %#x", len(b), s.first(), s.end())
	} else if n := binary.LittleEndian.Uint64(b[mem+stepSize:]); n != syscall.SYS_CHDIR {
		t.Errorf("the second step is call %d", n)
	}
}
