package explain

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dettrace/internal/vary"
)

func TestOnly(t *testing.T) {
	f := &finder{}
	e := &Effect{Source: vary.Random, Seed: 1}
	for _, tt := range []struct {
		found    []uint64
		from, to uint64
		want     string
	}{
		{nil, 0, 5, "random@1[0:5]"},
		{[]uint64{3, 1}, 0, 5, "random@1[0:1;2:3;4:5]"},
		{[]uint64{0, 4}, 0, 5, "random@1[1:4]"},
		{[]uint64{7}, 0, 5, "random@1[0:5]"},
		{[]uint64{0}, 0, 1, "random@1[]"},
		{[]uint64{3}, 5, 6, "random@1[5:6]"},
	} {
		if got := f.only(e, tt.found, tt.from, tt.to).String(); got != tt.want {
			t.Errorf("%v [%d:%d]: %s, want %s", tt.found, tt.from, tt.to, got, tt.want)
		}
	}
}

func TestDiffer(t *testing.T) {
	a := &Sample{Files: map[string]string{"same": "1", "other": "1", "gone": "1", "gone" + modeOf: "x", "m": "1", "m" + modeOf: "x"}}
	b := &Sample{Files: map[string]string{"same": "1", "other": "2", "new": "1", "new" + modeOf: "x", "m": "1", "m" + modeOf: "y"}}
	if got := differ(a, b); !slices.Equal(got, []string{"gone", "m" + modeOf, "new", "other"}) {
		t.Errorf("%q", got)
	}
}

// TestThrough: a source that reaches the very place of a stronger one does so
// through it; at another place it is one of its own.
func TestThrough(t *testing.T) {
	at := func(source string, offset int64) Effect {
		return Effect{Source: source, Reaches: []string{"f"}, places: []Place{{"f!m", []string{"content"}, offset}}}
	}
	inTar := func(source, kind string) Effect {
		return Effect{Source: source, Reaches: []string{"f"}, places: []Place{{"f!m", []string{kind}, 0}}}
	}
	for _, tt := range []struct {
		weak, strong Effect
		want         string
	}{
		{inTar(vary.Locales, fraction), inTar(vary.ClockRate, fraction), vary.ClockRate},
		{inTar(vary.Timezone, "time"), inTar(vary.ClockRate, fraction), ""},
		{inTar(vary.Time, fraction), inTar(vary.ClockRate, fraction), ""},
		{at(vary.Environment, 4), at(vary.ASLR, 4), vary.ASLR},
		{at(vary.Environment, 5), at(vary.ASLR, 4), ""},
		{at(vary.Random, 5), at(vary.Uninit, 4), vary.Uninit},
		{at(vary.Kernel, 4), at(vary.ASLR, 4), ""},
	} {
		e := tt.weak
		e.through([]Effect{tt.weak, tt.strong})
		if got := e.Through["f"]; got != tt.want {
			t.Errorf("%s and %s: through %q, want %q", tt.weak.Source, tt.strong.Source, got, tt.want)
		}
		if direct := len(e.Direct()) == 1; direct != (tt.want == "") {
			t.Errorf("%s: direct %v", tt.weak.Source, direct)
		}
	}
}

// TestElsewhere: the source that reaches the place is named; else, those that
// reach the file in the same way, and as a guess.
func TestElsewhere(t *testing.T) {
	r := &Report{Causes: []Cause{
		{Source: "time", Places: []Place{{"a.deb!x", []string{"content"}, 7}}},
		{Source: "random", Places: []Place{{"a.deb!y", []string{"content"}, 7}}},
		{Source: "umask", Places: []Place{{"a.deb!z", []string{"mode"}, 0}}},
	}}
	for _, tt := range []struct {
		place Place
		want  []string
		exact bool
	}{
		{Place{"a.deb!x", []string{"content"}, 7}, []string{"time"}, true},
		{Place{"a.deb!x", []string{"content"}, 9}, []string{"time", "random"}, false},
		{Place{"b.deb", []string{"content"}, 0}, []string{}, false},
		{Place{"a.deb!q", []string{"mode"}, 0}, []string{"umask"}, false},
	} {
		e := Elsewhere{Place: tt.place, File: fileOf(tt.place.Path)}
		if e.explain(r); !slices.Equal(e.Sources, tt.want) || e.Exact != tt.exact {
			t.Errorf("%+v: %v, exact %v", tt.place, e.Sources, e.Exact)
		}
	}
}

func TestBuildinfo(t *testing.T) {
	p := filepath.Join(t.TempDir(), "x.buildinfo")
	sum := strings.Repeat("ab", 32)
	text := "Format: 1.0\nChecksums-Md5:\n 00 1 md5\nChecksums-Sha256:\n " + sum + " 12 a_1_amd64.deb\n short 1 b\nBuild-Path: /x\n " + sum + " 12 no\n"
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, done, err := artifacts(p)
	if err != nil || len(got) != 1 || got[0].name != "a_1_amd64.deb" || got[0].sum != sum || got[0].data != nil {
		t.Errorf("%+v, %v", got, err)
	}
	done()
}

// TestHTML: text of the guest stays text.
func TestHTML(t *testing.T) {
	r := &Report{
		Result: Unreproducible, Command: []string{"sh", "-c", "<script>alert(1)</script>"}, Files: []string{"d/<b>"},
		Sources: []Effect{{Source: vary.Time, Reaches: []string{"d/<b>"}, Events: 3}},
		Causes: []Cause{{
			Source: vary.Time, Events: 3, Use: &vary.Use{N: 1, PID: 4, What: "clock_gettime"}, Who: []string{"date"},
			Places: []Place{{"d/<b>", []string{"content"}, 5}}, Flow: []Write{{Path: "/d/<b>", Command: []string{"date"}}}, Lines: []string{"a < b"},
		}},
	}
	var b strings.Builder
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"clock_gettime, no. 2 of 3, by process 4: date", "&lt;b&gt;", `href="#c1"`, "a &lt; b"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "<b>") {
		t.Error("text of the guest is markup")
	}
}
