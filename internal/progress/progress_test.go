package progress

import (
	"bytes"
	"encoding/json"
	"testing"
)

func at(seconds float64, stops uint64) State {
	return State{Phase: "run", Processes: 2, LogicalNS: 1_500_000_000, Stops: stops, Seconds: seconds}
}

func TestLine(t *testing.T) {
	var term bytes.Buffer
	p := New(&term, Line, func() int { return 30 })
	out := p.Beside(&term)
	p.Show(at(0.5, 100)) // too early for a word
	if term.Len() != 0 {
		t.Fatalf("%q", term.String())
	}
	p.Show(at(1.5, 1100))
	const line = "\r\x1b[Krun, 2 processes, logical tim" // cut at the width
	if term.String() != line {
		t.Fatalf("%q", term.String())
	}
	term.Reset()
	if _, err := out.Write([]byte("half a")); err != nil {
		t.Fatal(err)
	}
	p.Show(at(2, 1200)) // would break that line
	if _, err := out.Write([]byte(" line\n")); err != nil {
		t.Fatal(err)
	}
	if term.String() != "\r\x1b[Khalf a line\n" {
		t.Fatalf("%q", term.String())
	}
	term.Reset()
	p.Show(at(2.5, 1300))
	p.Done()
	p.Show(at(3, 1400))
	if term.String() != line+"\r\x1b[K" {
		t.Errorf("%q", term.String())
	}
}

func TestPlainAndJSON(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, Plain, nil)
	p.Show(at(0.5, 100))
	p.Show(at(2.5, 4100))
	if got := out.String(); got != "dettrace: run, 2 processes, logical time 1.500 s, 2000 stops/s, 2 s\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	p.Show(State{Phase: "commit", Processes: 1, Files: 1234, Bytes: 3 << 20, Seconds: 33})
	if got := out.String(); got != "dettrace: commit, 1,234 files, 3 MiB, 33 s\n" {
		t.Errorf("%q", got)
	}
	if p.Beside(&out) != &out {
		t.Error("plain lines need no care of others")
	}
	out.Reset()
	j := New(&out, JSON, nil)
	j.Show(at(2, 10))
	var s State
	if err := json.Unmarshal(out.Bytes(), &s); err != nil || s.Stops != 10 || s.PerSecond != 5 {
		t.Errorf("%+v, %v", s, err)
	}
	out.Reset()
	New(&out, None, nil).Show(at(2, 10))
	if out.Len() != 0 {
		t.Errorf("%q", out.String())
	}
}

// TestTaken: an image that is taken in, on a terminal and for programs.
func TestTaken(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, Plain, nil)
	p.Show(Taken{Image: "trixie", Files: 10, Bytes: 1 << 20, Seconds: 0.5})
	p.Show(Taken{Image: "trixie", Files: 1234, Bytes: 9 << 20, Seconds: 2.5})
	if got := out.String(); got != "dettrace: trixie: 1,234 files, 9 MiB, 4 MiB/s, 2 s\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	New(&out, JSON, nil).Show(Taken{Image: "trixie", Files: 1, Bytes: 20, Seconds: 2})
	if got := out.String(); got != `{"image":"trixie","files":1,"bytes":20,"bytes_per_second":10,"wall_seconds":2}`+"\n" {
		t.Errorf("%q", got)
	}
}

// TestRuns: many runs, of a number that is known or not.
func TestRuns(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, Plain, nil)
	for _, s := range []Runs{{Run: 2, Of: 5, Seconds: 3}, {Run: 6, Of: 5, Seconds: 9}, {Run: 7, Seconds: 10}} {
		p.Show(s)
	}
	if got := out.String(); got != "dettrace: run 2 of 5, 3 s\ndettrace: run 6, 9 s\ndettrace: run 7, 10 s\n" {
		t.Errorf("%q", got)
	}
}
