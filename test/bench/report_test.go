package main

import (
	"strings"
	"testing"
)

func TestRow(t *testing.T) {
	pairs := []pair{
		{cost{1, 1}, cost{3, 2}},
		{cost{2, 1}, cost{4, 3}},
		{cost{1, 0}, cost{5, 4}},
	}
	row := newRow(workload{name: "w", target: 2}, "dettrace", pairs, pair{cost{Wall: 0.5}, cost{Wall: 1}})
	for _, c := range []struct {
		name      string
		got, want spread
	}{
		{"ratio", row.Ratio, spread{3, 2, 5}},
		{"cpu", row.CPU, spread{2.5, 2, 3}},
		{"net", row.NetRatio, spread{4, 2, 8}},
		{"native", row.Native, spread{1, 1, 2}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	var b strings.Builder
	if err := (Report{Rows: []Row{row}}).writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	if want := "| w | dettrace | 3 | 1.00 s | 4.00 s | 3.00 (2.00-5.00) | 4.00 (2.00-8.00) | 2.50 (2.00-3.00) | 2.00 |"; !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwant a line\n%s", b.String(), want)
	}
}

func TestImportRow(t *testing.T) {
	var b strings.Builder
	row := ImportRow{Name: "i", MB: 100, Hash: passes{spread{1, 0.5, 2}, spread{1, 1, 1}}, Write: passes{spread{2, 2, 2}, spread{3, 3, 4}},
		Import: passes{spread{4, 2, 5}, spread{0.5, 0, 1}}, Again: passes{spread{1, 1, 1}, spread{2, 2, 2}}}
	if err := (Report{Imports: []ImportRow{row}}).writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	if want := "| i | 100 (50-200), 1.00 s | 50 (50-50), 3.00 s | 25 (20-50), 0.50 s | 100 (100-100), 2.00 s |"; !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwant a line\n%s", b.String(), want)
	}
}

func TestSpreadOfNothing(t *testing.T) {
	if got := spreadOf(nil); got != (spread{}) {
		t.Errorf("got %v", got)
	}
	if got := spreadOf([]float64{4, 1, 3, 2}); got != (spread{2.5, 1, 4}) {
		t.Errorf("got %v", got)
	}
}

func TestProfileRow(t *testing.T) {
	p := ProfileRow{Name: "p"}
	if err := p.read([]byte(`{"stops": {"total": 3, "served": 7}, "host": {"profile": {"guest_ns": 1500000000, "supervisor_ns": 2000000, "file_system_ns": 3000000,
		"stops": [{"name": "exec", "count": 2, "ns": 1500000}, {"name": "birth", "count": 1, "ns": 500000}], "requests": [{"name": "read", "count": 9, "ns": 3000000}]}}}`)); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := writeProfiles(&b, []ProfileRow{p, {Name: "q", Error: "failed"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| p | 7 | 3 | 9 | 1.50 s | 2 ms | 3 ms | 2 exec 2, 1 birth 0 |\n", "| q | failed |\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%s\nwant a line\n%s", b.String(), want)
		}
	}
	if p.read([]byte("{")) == nil {
		t.Error("half a report is no error")
	}
}
