package probes

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	binary  = flag.String("dettrace", os.Getenv("DETTRACE"), "binary under test; default: built from this tree")
	probeRE = flag.String("probe", "", "only probes that match")
	native  = flag.Bool("native", false, "only the native side")
	slow    = flag.Bool("slow", false, "slow probes too")
)

// TestCatalogue checks the table itself.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Table() {
		if seen[p.Name] || p.Name == "" || p.Line == "" || p.Section == "" {
			t.Errorf("probe %q twice or without name, line or section", p.Name)
		}
		seen[p.Name] = true
		if p.Varies == Answer && p.Why == "" {
			t.Errorf("probe %s: no reason why nothing differs natively", p.Name)
		}
		if (p.Gap == "") != (p.GapIf == nil) {
			t.Errorf("probe %s: gap without condition", p.Name)
		}
		if strings.ContainsAny(p.Name, " /\t") {
			t.Errorf("probe %q: bad name", p.Name)
		}
	}
}

// TestTable is the two-sided oracle over the whole catalogue.
func TestTable(t *testing.T) {
	if testing.Short() {
		t.Skip("runs containers")
	}
	if !have("gcc") {
		t.Skip("needs gcc for the probes")
	}
	o := Options{Repeat: 1, NativeOnly: *native, Slow: *slow}
	if *probeRE != "" {
		o.Name = regexp.MustCompile(*probeRE)
	}
	rows, err := RunAll(".", *binary, o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	Print(&b, rows)
	t.Log(b.String())
	for _, r := range rows {
		t.Run(r.Name, func(t *testing.T) {
			if r.Skipped != "" {
				t.Skip(r.Skipped)
			}
			for _, p := range r.Problems {
				if r.Gapped {
					t.Logf("known gap: %s (%s)", p, r.Gap)
				} else {
					t.Error(p)
				}
			}
		})
	}
}
