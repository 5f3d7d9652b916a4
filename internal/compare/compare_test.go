package compare

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// dir makes a directory of files: name to content.
func dir(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	for name, content := range files {
		p := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, time.Unix(5, 0), time.Unix(5, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

func diffs(t *testing.T, a, b string, o Options) []Difference {
	t.Helper()
	x, err := Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	d, err := Trees(x, y, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestKinds: each kind of difference is named, and nothing else.
func TestKinds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(p string) error
		want   string
	}{
		{"content", func(p string) error { return os.WriteFile(p, []byte("one\ntwx\n"), 0o644) }, Content},
		{"mode", func(p string) error { return os.Chmod(p, 0o600) }, Mode},
		{"time", func(p string) error { return os.Chtimes(p, time.Unix(6, 1), time.Unix(6, 1)) }, Time},
		{"missing", os.Remove, OnlyInA},
		{"type", func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Symlink("x", p)
		}, Type},
		{"nothing", func(string) error { return nil }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := dir(t, map[string]string{"f": "one\ntwo\n", "same": ""}), dir(t, map[string]string{"f": "one\ntwo\n", "same": ""})
			if err := tt.change(filepath.Join(b, "f")); err != nil {
				t.Fatal(err)
			}
			d := diffs(t, a, b, Options{IgnoreTimes: tt.want != Time})
			if tt.want == "" {
				if len(d) != 0 {
					t.Errorf("%+v", d)
				}
				return
			}
			if len(d) != 1 || d[0].Path != "f" || !slices.Equal(d[0].Kinds, []string{tt.want}) {
				t.Fatalf("%+v", d)
			}
			if tt.want == Content && (d[0].Offset != 6 || !strings.Contains(d[0].Text, "-two\n+twx\n")) {
				t.Errorf("%+v", d[0])
			}
		})
	}
}

// ar is an archive of one member.
func ar(name, content string, mtime int) string {
	s := fmt.Sprintf("!<arch>\n%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", name+"/", mtime, 0, 0, 0o100644, len(content), content)
	if len(content)%2 == 1 {
		s += "\n"
	}
	return s
}

func gz(t *testing.T, content string, mtime int64) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.ModTime = time.Unix(mtime, 0)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNested: a difference is named by the innermost member, with its place.
func TestNested(t *testing.T) {
	a := dir(t, map[string]string{"x.deb": ar("data.gz", gz(t, ar("f.o", "abcd", 1), 9), 1)})
	b := dir(t, map[string]string{"x.deb": ar("data.gz", gz(t, ar("f.o", "abXd", 1), 9), 1)})
	d := diffs(t, a, b, Options{})
	if len(d) != 1 {
		t.Fatalf("%+v", d)
	}
	l := d[0].Leaves()
	if len(l) != 1 || l[0].Path != "x.deb!data.gz!data!f.o" || l[0].Offset != 2 {
		t.Errorf("%+v", l)
	}
}

// TestPackingTime: the time in a gzip header is a difference of its content's time.
func TestPackingTime(t *testing.T) {
	d := diffs(t, dir(t, map[string]string{"a.gz": gz(t, "same", 1)}), dir(t, map[string]string{"a.gz": gz(t, "same", 2)}), Options{IgnoreTimes: true})
	if len(d) != 1 || len(d[0].Members) != 1 || !slices.Equal(d[0].Members[0].Kinds, []string{Time}) {
		t.Errorf("%+v", d)
	}
}

// TestFraction: times of one second are told from others.
func TestFraction(t *testing.T) {
	at := func(ns int64) string {
		d := dir(t, map[string]string{"f": ""})
		if err := os.Chtimes(filepath.Join(d, "f"), time.Unix(0, ns), time.Unix(0, ns)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, x := range []struct {
		a, b int64
		want bool
	}{{5e9, 5e9 + 1, true}, {5e9 + 1, 6e9 - 1, true}, {5e9 + 999_999_999, 6e9, false}, {5e9, 7e9, false}} {
		d := diffs(t, at(x.a), at(x.b), Options{})
		i := slices.IndexFunc(d, func(d Difference) bool { return d.Path == "f" })
		if i < 0 || !slices.Equal(d[i].Kinds, []string{Time}) || d[i].Fraction != x.want {
			t.Errorf("%d and %d: %+v", x.a, x.b, d)
		}
	}
}

// TestOrder: equal members in another order.
func TestOrder(t *testing.T) {
	one, two := ar("one", "1234", 1), strings.TrimPrefix(ar("two", "5678", 1), "!<arch>\n")
	swapped := ar("two", "5678", 1) + strings.TrimPrefix(ar("one", "1234", 1), "!<arch>\n")
	d := diffs(t, dir(t, map[string]string{"a.a": one + two}), dir(t, map[string]string{"a.a": swapped}), Options{})
	if len(d) != 1 || !slices.Equal(d[0].Kinds, []string{Content, Order}) || len(d[0].Members) != 0 {
		t.Errorf("%+v", d)
	}
}

// TestDoubles: two members of one name are two members.
func TestDoubles(t *testing.T) {
	second := func(c string) string { return strings.TrimPrefix(ar("m", c, 1), "!<arch>\n") }
	a := dir(t, map[string]string{"a.a": ar("m", "1234", 1) + second("56")})
	b := dir(t, map[string]string{"a.a": ar("m", "1234", 1) + second("57")})
	if d := diffs(t, a, b, Options{}); len(d) != 1 || len(d[0].Members) != 1 || d[0].Members[0].Path != "m#2" {
		t.Errorf("%+v", d)
	}
}

func TestOnly(t *testing.T) {
	a, err := Open(dir(t, map[string]string{"a/x": "1", "b/y": "2", "b/z/w": "3"}))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Only([]string{"/b/*"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range a.Files {
		got = append(got, f.Path)
	}
	if !slices.Equal(got, []string{"b/y", "b/z", "b/z/w"}) {
		t.Errorf("%q", got)
	}
	if err := a.Only([]string{"["}); err == nil {
		t.Error("a bad pattern is no error")
	}
}
