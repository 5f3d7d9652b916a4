package console

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

// cooked is the mode of a new terminal (tty_std_termios).
func cooked() unix.Termios {
	m := unix.Termios{Iflag: unix.ICRNL | unix.IXON, Lflag: unix.ISIG | unix.ICANON | unix.ECHO}
	m.Cc[unix.VINTR], m.Cc[unix.VQUIT], m.Cc[unix.VSUSP], m.Cc[unix.VEOF] = 3, 0x1c, 0x1a, 4
	m.Cc[unix.VSTART], m.Cc[unix.VSTOP], m.Cc[unix.VMIN] = 0x11, 0x13, 1
	return m
}

func TestParseSize(t *testing.T) {
	if s, err := ParseSize("132x43"); err != nil || s != (Size{132, 43}) || s.String() != "132x43" {
		t.Errorf("%v, %v", s, err)
	}
	for _, bad := range []string{"", "80", "80x", "x24", "80x24x1", "0x24", "80x0", "80x-1", "99999x1", "80x10000", "a x b"} {
		if s, err := ParseSize(bad); err == nil {
			t.Errorf("%q: %v", bad, s)
		}
	}
}

func TestCut(t *testing.T) {
	lines, keys := cooked(), cooked()
	keys.Lflag &^= unix.ICANON
	for _, c := range []struct {
		mode  *unix.Termios
		in    string
		n     int
		whole bool
	}{
		{&lines, "one\ntwo", 4, true}, {&lines, "one\rtwo", 4, true}, {&lines, "one", 3, false},
		{&lines, "a\x04b", 2, true}, {&lines, "a\x03b\n", 2, true}, {&lines, "\x00\n", 2, true},
		{&keys, "\x1b[A", 3, false}, {&keys, "ab\x03c", 3, true}, {&keys, "a\rb", 2, true}, {&keys, "a\x04b", 3, false},
		{&lines, strings.Repeat("x", 300), maxKeys, true}, {&keys, "", 0, false},
	} {
		if n, whole := cut(c.mode, []byte(c.in)); n != c.n || whole != c.whole {
			t.Errorf("%q: %d %v, want %d %v", c.in, n, whole, c.n, c.whole)
		}
	}
}

func TestOvertakes(t *testing.T) {
	lines, keys, kept := cooked(), cooked(), cooked()
	keys.Lflag &^= unix.ICANON
	kept.Lflag |= unix.NOFLSH
	for _, c := range []struct {
		mode     *unix.Termios
		in, want string
		n        int
	}{
		{&lines, "a\nb\x03c", "b\x03", 4}, {&keys, "a\nb\x03c", "\x03", 4}, {&lines, "abc", "", 0}, {&kept, "\x03", "", 0},
	} {
		if got, n := overtakes(c.mode, []byte(c.in)); string(got) != c.want || n != c.n {
			t.Errorf("%q: %q %d, want %q %d", c.in, got, n, c.want, c.n)
		}
	}
}

// A script types when it is asked, lines or keys, the end, and the hang-up.
func TestScript(t *testing.T) {
	mode := cooked()
	s := NewScript(strings.NewReader("one\ntwo"))
	look := func() State { return State{Mode: mode} }
	at := func(q Question) string {
		t.Helper()
		q.Look = look
		k, err := s.At(Place{Kind: Idle}, q)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case k == nil:
			return "nothing"
		case k.Hangup:
			return "hang-up"
		}
		return string(k.Bytes)
	}
	wanted := Question{Wanted: true}
	for i, c := range []struct {
		q    Question
		want string
	}{
		{Question{}, "nothing"}, {wanted, "one\n"}, {Question{Asks: 1}, "two"}, {Question{Last: true}, "nothing"}, {wanted, "\x04"},
	} {
		if got := at(c.q); got != c.want {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
	for range maxEnds - 1 {
		if got := at(wanted); got != "\x04" {
			t.Errorf("%q", got)
		}
	}
	if a, b := at(wanted), at(wanted); a != "hang-up" || b != "nothing" {
		t.Errorf("%q, %q", a, b)
	}
	mode.Lflag &^= unix.ICANON
	s = NewScript(strings.NewReader("xy"))
	if a, b := at(wanted), at(wanted); a != "x" || b != "y" {
		t.Errorf("%q, %q", a, b)
	}
}

// recorded is a record of two inputs.
func recorded(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	r := NewRecorder(&b, "80x24", []string{"sh"})
	r.Typed(&Keys{Place: Place{Kind: Idle, Event: 7, NS: 9}, Bytes: []byte("ls\r\xff\x00")})
	r.Typed(&Keys{Place: Place{Kind: Event, Event: 12, NS: 14}, Bytes: []byte("\x03"), Flush: true})
	if err := r.Finish(End{Events: 20, NS: 30, Status: 1, Output: "x"}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReplay(t *testing.T) {
	x, err := ReadReplay(strings.NewReader(recorded(t)))
	if err != nil {
		t.Fatal(err)
	}
	if x.Budget(0, 0) < 1000 || !x.Pending() {
		t.Error("a place where all wait needs no stop")
	}
	if k, err := x.At(Place{Kind: Idle, Event: 7, NS: 8}, Question{}); k != nil || err != nil {
		t.Errorf("too early: %v, %v", k, err)
	}
	if k, err := x.At(Place{Kind: Idle, Event: 7, NS: 9}, Question{}); err != nil || string(k.Bytes) != "ls\r\xff\x00" {
		t.Errorf("%v, %v", k, err)
	}
	if n := x.Budget(10, 0); n != 2 {
		t.Errorf("budget %d", n)
	}
	if err := x.Check(End{Events: 20, NS: 30, Status: 1, Output: "x"}); !errors.Is(err, ErrReplay) {
		t.Errorf("input is left: %v", err)
	}
	if k, err := x.At(Place{Kind: Event, Event: 12, NS: 14}, Question{}); err != nil || !k.Flush {
		t.Errorf("%v, %v", k, err)
	}
	if err := x.Check(End{Events: 20, NS: 30, Status: 1, Output: "x"}); err != nil {
		t.Error(err)
	}
	if err := x.Check(End{Events: 21, NS: 30, Status: 1, Output: "x"}); !errors.Is(err, ErrReplay) {
		t.Errorf("another end: %v", err)
	}
}

func TestReplayOfAnotherRun(t *testing.T) {
	for _, c := range []struct {
		p Place
		q Question
	}{
		{Place{Kind: Event, Event: 8}, Question{}}, {Place{Kind: Idle, Event: 7, NS: 10}, Question{}},
		{Place{Kind: Idle, Event: 6}, Question{Last: true}},
	} {
		x, err := ReadReplay(strings.NewReader(recorded(t)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.At(c.p, c.q); !errors.Is(err, ErrReplay) {
			t.Errorf("%v: %v", c.p, err)
		}
	}
}

// Every prefix and every change of a record is an error, and no panic.
func TestBrokenRecord(t *testing.T) {
	whole := recorded(t)
	for i := range len(whole) - 1 {
		if _, err := ReadReplay(strings.NewReader(whole[:i])); err == nil {
			t.Errorf("cut at %d: no error", i)
		}
	}
	for _, c := range [][3]string{
		{`"event":12`, `"event":13`, "digest"}, {`ls`, `rm`, "digest"}, {`"at":"idle"`, `"at":"never"`, "place"},
		{`"version":1`, `"version":2`, "version 2"}, {`dettrace-input`, `other`, "not a record"}, {`"event":12`, `"event":2`, "event before"},
		{`"keys":"ls`, `"keys":"€`, "no byte"}, {`"flush":true`, `"flush":true,"more":1`, "line 3"},
	} {
		_, err := ReadReplay(strings.NewReader(strings.Replace(whole, c[0], c[1], 1)))
		if err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: %v", c[1], err)
		}
	}
	_, err := ReadReplay(strings.NewReader(whole[:strings.LastIndex(whole, `{"end"`)]))
	if err == nil || hint.Of(err) == "" || !strings.Contains(err.Error(), "cut off") {
		t.Error(err)
	}
}

func FuzzReadReplay(f *testing.F) {
	f.Add([]byte(recorded(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ReadReplay(bytes.NewReader(b))
		if err == nil && !bytes.Contains(b, []byte(x.Header.Format)) {
			t.Error("accepted without its format")
		}
	})
}

// A thread that looks for input all the time gets it before its next event,
// whatever that is.
func TestScriptBudget(t *testing.T) {
	s := NewScript(strings.NewReader("x"))
	if n := s.Budget(5, ManyAsks-1); n < 1000 {
		t.Errorf("budget %d before", n)
	}
	if n := s.Budget(5, ManyAsks); n != 0 {
		t.Errorf("budget %d", n)
	}
}
