package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/internal/hint"
)

// TestPresets: each one resolves, and is documented.
func TestPresets(t *testing.T) {
	doc, err := os.ReadFile("../../docs/environment.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Presets() {
		f := Flags{Preset: p.Name, Workdir: SourceDir}
		own, err := applyPreset(&f, Host{Dir: "/some/where"})
		if err != nil || f.User != p.User || len(own) != len(p.Own) || strings.Contains(strings.Join(append(own, f.Env...), " "), "%") {
			t.Errorf("%s: %+v, own %q, error %v", p.Name, f, own, err)
		}
		if f.Workdir == SourceDir || f.Inputs[0] != "/some/where:"+f.Workdir {
			t.Errorf("%s: working directory %s, inputs %q", p.Name, f.Workdir, f.Inputs)
		}
		if !strings.Contains(string(doc), "| `"+p.Name+"` |") {
			t.Errorf("%s: not in docs/environment.md", p.Name)
		}
	}
	f := Flags{Preset: "gix"}
	if _, err := applyPreset(&f, Host{}); err == nil || hint.Of(err) != "did you mean guix?" {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	for _, bad := range []string{"guix:", "guix:..", "guix:a/b", "gix:a"} {
		f := Flags{Preset: bad}
		if _, err := applyPreset(&f, Host{Dir: "/"}); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: %v, hint %q", bad, err, hint.Of(err))
		}
	}
}

func TestChangelogTime(t *testing.T) {
	for text, want := range map[string]int64{
		"a (1) x; u=l\n\n  * y\n\n -- N <n@e>  Thu, 29 Feb 2024 12:00:00 +0000\n\nold\n\n -- N <n@e>  Thu, 01 Jan 1970 00:00:09 +0000\n": 1709208000,
		" -- N <n@e>  Fri,  1 Mar 2024 12:00:00 +0100\n": 1709290800,
		" -- N <n@e>  yesterday\n":                       -1,
		"":                                               -1,
	} {
		name := filepath.Join(t.TempDir(), "changelog")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := changelogTime(name)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	if got, err := changelogTime(filepath.Join(t.TempDir(), "none")); got != 0 || err != nil {
		t.Errorf("no file: %d, %v", got, err)
	}
}
