package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestWriteIsDeterministic(t *testing.T) {
	r := Report{
		Command:      []string{"sh", "-c", "a <b> & c"},
		Stops:        CountStops([]uint64{3, 0, 7, 3}, func(nr int) string { return []string{"read", "write", "open", "close"}[nr] }),
		Uncontrolled: []Refusal{{What: "rseq"}, {What: "bpf"}},
		DoorsUsed:    []string{"network", "network"},
		Settings:     Settings{Seed: 1<<64 - 1, Env: RedactEnv([]string{"A=1", "TOKEN=x=y", "TOKENS=2"}, []string{"TOKEN"}), Epoch: FormatEpoch(1767225600e9 + 5)},
		Host:         Host{Requests: map[string]uint64{"LOOKUP": 1, "GETATTR": 2}},
	}
	var first bytes.Buffer
	for range 20 {
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		if first.Len() > 0 && b.String() != first.String() {
			t.Fatal("two reports of one run differ")
		}
		first = b
	}
	text := first.String()
	for _, want := range []string{
		`"schema": 1,`, `"a <b> & c"`, `"seed": "18446744073709551615"`, `"epoch": "2026-01-01T00:00:00.000000005Z"`,
		`"inputs": []`, `"visible_cpu": []`, `"total": 13`, `"TOKEN",`, `"TOKENS=2"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "null") || strings.Contains(text, "x=y") {
		t.Errorf("null or a host value in\n%s", text)
	}
	var back Report
	if err := json.Unmarshal(first.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.DoorsUsed) != 1 || back.Uncontrolled[0].What != "bpf" || back.Stops.ByCall[0].Call != "open" || back.Stops.ByCall[1].Call != "close" {
		t.Errorf("%+v", back)
	}
	if r.Uncontrolled[0].What != "rseq" {
		t.Error("Write sorted the caller's list")
	}
}

func TestClosingLine(t *testing.T) {
	for _, c := range []struct {
		in   Closing
		want string
	}{
		{Closing{}, ""},
		{Closing{Changed: 12}, "dettrace: 12 files changed, none kept (use -o PATH, --write-back or --save FILE.tar)"},
		{Closing{Changed: 1}, "dettrace: 1 file changed, none kept (use -o PATH, --write-back or --save FILE.tar)"},
		{Closing{Changed: 1234, Outputs: 2, Asked: true}, "dettrace: 1,234 files changed, 2 outputs copied"},
		{Closing{Changed: 3, WriteBack: true, WrittenBack: 1}, "dettrace: 3 files changed, 1 change written back"},
		{Closing{Changed: 3, Saved: "c.tar", Outputs: 1}, "dettrace: 3 files changed, 1 output copied, saved to c.tar"},
		{Closing{Changed: 3, Commit: "tools", Committed: "sha256:0123"}, "dettrace: 3 files changed, image tools is sha256:0123"},
		{Closing{Changed: 3, Commit: "tools", Failed: true}, "dettrace: 3 files changed, none kept because the command failed (--output-on-failure copies outputs anyway)"},
		{Closing{Changed: 3, Failed: true, Asked: true}, "dettrace: 3 files changed, none kept because the command failed (--output-on-failure copies outputs anyway)"},
		{Closing{Failed: true, Asked: true}, ""},
	} {
		if got := c.in.Line(); got != c.want {
			t.Errorf("%+v:\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		if got := Digits(n); got != want {
			t.Errorf("Digits(%d) = %s", n, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 1<<20 - 1: "1023.9 KiB", 5 << 30: "5 GiB", 1<<63 - 1: "7.9 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
}
