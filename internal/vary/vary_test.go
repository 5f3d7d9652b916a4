package vary

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones, whatever the host has
)

func TestParse(t *testing.T) {
	for list, want := range map[string]string{
		"none":                         "none",
		"time":                         "time@5",
		"+kernel,aslr":                 "aslr@5,kernel@5",
		"all,-all,+pid":                "pid@5",
		"all,-time,none":               "none",
		"random@9[3:4;7:],-umask":      "random@9[3:4;7:]",
		"num-cpus":                     "num_cpus@5",
		"time, random@1, random[0:0]":  "time@5,random@5[0:0]",
		"random@1[],pid":               "random@1[],pid@5",
		"fileordering[1:2],random[5:]": "random@5[5:],fileordering@5[1:2]",
	} {
		p, err := Parse(list, 5)
		if err != nil || p.String() != want {
			t.Errorf("%s: %s, %v; want %s", list, p, err, want)
		}
		again, err := Parse(p.String(), 1)
		if err != nil || again.String() != want {
			t.Errorf("%s: again %s, %v", list, again, err)
		}
	}
	p, err := Parse("all,-time,-clock_rate", 1)
	if err != nil || len(p) != len(Sources())-2 || p.Of(Time) != nil || p.Of(Random) == nil {
		t.Errorf("%s, %v", p, err)
	}
	for list, want := range map[string]string{
		"tme": "no such source", "": "no such source", "random[1": "no ]", "random[a:b]": "not FROM:TO",
		"umask[1:2]": "no events", "umask[]": "no events", "random[;]": "not FROM:TO", "time@x": "not a number", "-random[1:2]": "neither seed nor events", "all[1:2]": "no events",
	} {
		if _, err := Parse(list, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", list, err, want)
		}
	}
}

// TestNoEvents: a choice of no event is not one of all, also after it was written
// down.
func TestNoEvents(t *testing.T) {
	for _, want := range []Choice{{Source: Random, Ranges: []Range{}}, {Source: Random}} {
		b, err := json.Marshal(want)
		var viaJSON Choice
		if err == nil {
			err = json.Unmarshal(b, &viaJSON)
		}
		viaText, perr := Parse(Plan{want}.String(), 1)
		if err := errors.Join(err, perr); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*Choice{&viaJSON, viaText.Of(Random)} {
			if c.Whole() != want.Whole() || c.Hits(0) != want.Hits(0) {
				t.Errorf("%+v became %+v", want, *c)
			}
		}
	}
}

func TestMeter(t *testing.T) {
	p, err := Parse("random[1:2;4:]", 3)
	if err != nil {
		t.Fatal(err)
	}
	m := p.Meter(Random)
	var hits []uint64
	for i := range uint64(40) {
		if c, n, hit := m.Next(int64(i)*10, 2, "x"); hit {
			hits = append(hits, n)
			if c.Value(n) == c.Value(n+1) {
				t.Error("values do not depend on the index")
			}
		}
	}
	r, ok := m.Report()
	if !ok || r.Events != 40 || len(r.Uses) != maxUses || r.Uses[0] != (Use{1, 10, 2, "x"}) || !slices.Equal(hits[:2], []uint64{1, 4}) {
		t.Errorf("%+v, %v", r, hits)
	}
	var none *Meter
	if _, _, hit := none.Next(0, 0, ""); hit {
		t.Error("a source that is not varied is")
	}
	if _, ok := none.Report(); ok || p.Meter(Time) != nil {
		t.Error("a meter for a source that is not varied")
	}
}

// TestValue: other seeds, sources and indices give other values.
func TestValue(t *testing.T) {
	seen := map[uint64]bool{}
	for _, s := range []string{Time, Random} {
		for seed := range uint64(3) {
			for i := range uint64(3) {
				c := Choice{Source: s, Seed: seed}
				if seen[c.Value(i)] || c.Value(i) != (&Choice{Source: s, Seed: seed}).Value(i) {
					t.Error(s, seed, i)
				}
				seen[c.Value(i)] = true
			}
		}
	}
}

// TestTimezone: whenever the clock starts, it is another day in the zone.
func TestTimezone(t *testing.T) {
	for seed := range uint64(8) {
		for hour := range 24 {
			start := time.Date(2026, 1, 10, hour, 30, 0, 0, time.UTC)
			c := Choice{Source: Timezone, Seed: seed}
			name := strings.TrimPrefix(c.Variables(start.UnixNano())[0], "TZ=")
			zone := map[string]*time.Location{"GMT+12": time.FixedZone("", -12*3600), "GMT-14": time.FixedZone("", 14*3600)}[name]
			if zone == nil {
				var err error
				if zone, err = time.LoadLocation(name); err != nil {
					t.Fatal(err)
				}
			}
			if start.Day() == start.In(zone).Day() {
				t.Errorf("seed %d, %v: %s", seed, start, name)
			}
		}
	}
}
