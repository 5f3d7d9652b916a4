package trace

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func sample() []Record {
	return []Record{
		{Kind: Start, Version: Version, Argv: []string{"sh", "-c", "x"}, Workdir: "/w"},
		{PID: 2, TID: 2, Kind: Birth},
		{PID: 2, TID: 2, Kind: Exec, Argv: []string{"sh", "-c", "x"}, File: &File{Path: "/bin/sh"}},
		{Time: 10, PID: 3, TID: 3, Kind: Birth, Parent: 2},
		{Time: 15, PID: 3, TID: 4, Kind: Birth, Parent: 3},
		{Time: 20, PID: 3, TID: 3, Kind: Call, Name: "openat", Args: `"/w/f", 0x0`, Result: -2, Errno: "ENOENT", File: &File{Path: "/w/f"}},
		{Time: 30, PID: 3, TID: 3, Kind: Call, Name: "write", Args: "1", Result: 5, Op: Write, Dur: 100, File: &File{Path: "/w/dir/g", Ino: 1, Off: 3, Len: 5}},
		{Time: 40, PID: 5, TID: 5, Kind: Birth, Parent: 3},
		{Time: 50, PID: 5, TID: 5, Kind: Call, Name: "read", Result: 7, Op: Read, File: &File{Path: "stdin", Len: 7}},
		{Time: 60, PID: 3, TID: 3, Kind: Signal, Name: "SIGCHLD"},
		{Time: 70, PID: 3, TID: 3, Kind: Exit},
		{Kind: Changed, Change: "added", File: &File{Path: "/w/dir/g", Ino: 1, Len: 8}},
		{Kind: End},
	}
}

func TestFilter(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    Filter
		want string // positions in sample
	}{
		{"all", Filter{}, "0123456789abc"},
		{"pid", Filter{PIDs: []int{3}}, "345" + "6" + "9a"},
		{"children", Filter{PIDs: []int{3}, Children: true}, "3456789a"},
		{"grandchildren", Filter{PIDs: []int{2}, Children: true}, "123456789a"},
		{"call", Filter{Calls: []string{"write", "exec"}}, "26"},
		{"below a path", Filter{Paths: []string{"/w/dir"}}, "6b"},
		{"pattern", Filter{Paths: []string{"/w/?"}}, "5"},
		{"time", Filter{From: 30, To: 50}, "678"},
		{"failed", Filter{Failed: true}, "5"},
		{"joined", Filter{Failed: true, Calls: []string{"read"}}, ""},
	} {
		got := ""
		for i, r := range sample() {
			if tt.f.Match(&r) {
				got += string("0123456789abcdef"[i])
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestFileKeepsRecords(t *testing.T) {
	var buf bytes.Buffer
	w, err := NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range sample() {
		w.Write(&r)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var text []string
	if err := Scan(&buf, func(r *Record) bool {
		if r.N != uint64(len(text))+1 {
			t.Errorf("record %d has number %d", len(text)+1, r.N)
		}
		text = append(text, r.Text())
		return true
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`0.000000020 3/3 openat("/w/f", 0x0) = -1 ENOENT </w/f>`,
		`0.000000030 3/3 write(1) = 5 </w/dir/g 3+5>`,
		`0.000000000 2/2 exec ["sh", "-c", "x"]`,
		`0.000000010 3/3 birth of a child of 2`,
		`added /w/dir/g 0+8`,
		`end with status 0`,
	} {
		if !strings.Contains("\n"+strings.Join(text, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("no line %q in\n%s", want, strings.Join(text, "\n"))
		}
	}
}

func TestOtherVersion(t *testing.T) {
	var buf bytes.Buffer
	w, err := NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(&Record{Kind: Start, Version: Version + 1})
	w.Write(&Record{Kind: End})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Scan(&buf, func(*Record) bool { return true }); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("error %v", err)
	}
}

func TestStats(t *testing.T) {
	var s Stats
	for _, r := range sample() {
		s.Add(&r)
	}
	s.Sort()
	if s.Records != len(sample()) || s.LogicalNS != 130 || len(s.Processes) != 3 || len(s.Files) != 2 {
		t.Fatalf("%+v", s)
	}
	if p := s.Processes[1]; p.PID != 3 || p.Calls != 2 || p.Write != 5 || p.Argv[0] != "sh" {
		t.Errorf("process %+v", p)
	}
	if c := s.Calls[0]; c.Call != "openat" || c.Errors != 1 {
		t.Errorf("call %+v", c)
	}
	if f := s.Files[0]; f.Path != "stdin" || f.Read != 7 {
		t.Errorf("file %+v", f)
	}
	var b strings.Builder
	if err := s.Text(&b); err != nil || !strings.Contains(b.String(), "stdin") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestTimeline(t *testing.T) {
	var b bytes.Buffer
	tl := NewTimeline(&b)
	for _, r := range sample() {
		tl.Add(&r)
	}
	if err := tl.Close(); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		TraceEvents []timelineEvent `json:"traceEvents"`
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	found := map[string]timelineEvent{}
	for _, e := range doc.TraceEvents {
		if e.Ph == "X" {
			found[e.Name+" "+string(rune('0'+e.PID))] = e
		}
	}
	// A process that the trace does not see end lasts to the last record.
	if e := found["sh 2"]; e.Dur != 0.13 {
		t.Errorf("sh: %+v", e)
	}
	if e := found["write 3"]; e.TS != 0.03 || e.Dur != 0.1 {
		t.Errorf("write: %+v", e)
	}
}
