package inputs

import (
	"bytes"
	"strings"
	"testing"

	"dettrace/internal/image"
)

// The digest of a layer follows from the lines, so that a list can be checked
// against the report it belongs to.
func TestDigest(t *testing.T) {
	layers := []Layer{
		{"/", []image.Observation{
			{Path: "/", Kind: image.Stat, Text: "dir mode=0755 owner=0:0 size=4096"},
			{Path: "/build", Kind: image.Missing},
			{Path: "/l", Kind: image.Link, Text: "a\xffb\\"},
			{Path: "/l", Kind: image.Stat, Text: "symlink"},
			{Path: "/no", Kind: image.Denied},
		}},
		{"/build", []image.Observation{
			{Path: "/", Kind: image.List, Digest: "sha256:aa"},
			{Path: "/", Kind: image.Stat, Text: "dir"},
			{Path: "/\x80", Kind: image.Read, Digest: "sha256:bb"},
			{Path: "/\x80", Kind: image.Stat, Text: "file"},
			{Path: "/\x80", Kind: image.Attrs},
		}},
	}
	var b bytes.Buffer
	if err := Write(&b, layers); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != 6 {
		t.Errorf("%d lines\n%s", n, b.String())
	}
	lines, err := Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		d, err := Digest(lines, l.Guest)
		if err != nil || d != image.ObservedDigest(l.Observations) {
			t.Errorf("%s: %s, %v", l.Guest, d, err)
		}
	}
	lines[0].Stat += " "
	if d, _ := Digest(lines, "/"); d == image.ObservedDigest(layers[0].Observations) {
		t.Error("another list has the same digest")
	}
	for _, bad := range []string{`{"path":1}`, `{"path":"/","unknown":1}`, `{`} {
		if _, err := Parse(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}
