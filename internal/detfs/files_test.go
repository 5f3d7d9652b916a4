package detfs

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFiles(t *testing.T) {
	c := Config{
		Files: []StaticFile{{Path: "/etc/hostname", Mode: 0o644, Content: []byte("x\n"), Serial: 7}, {Path: "/dev/fd", Mode: 0o777, Content: []byte("/proc/self/fd"), Link: true}},
		Static: []StaticTree{
			{Name: "proc", Files: []StaticFile{{Path: "a/b", Mode: 0o444, Content: []byte{}, Dir: true, Door: "time"}}},
			{Name: "sys", Files: []StaticFile{{Path: "k", Mode: 0o666, Content: []byte("\x00\xff"), Hidden: true}}},
		},
	}
	b := appendFiles(nil, &c)
	var got Config
	if err := readFiles(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, got); d != "" {
		t.Error(d)
	}
	for n := range b {
		if err := readFiles(b[:n], &Config{}); err == nil {
			t.Errorf("the first %d of %d bytes are taken for all", n, len(b))
		}
	}
	if err := readFiles(append(b, 0), &Config{}); err == nil {
		t.Error("a byte too many is not noticed")
	}
}

// TestFilesComplete: no field of a file is left behind.
func TestFilesComplete(t *testing.T) {
	kind := reflect.TypeFor[StaticFile]()
	for i := range kind.NumField() {
		var f StaticFile
		switch v := reflect.ValueOf(&f).Elem().Field(i); v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Uint32:
			v.SetUint(1 << 31)
		case reflect.String:
			v.SetString("x")
		case reflect.Slice:
			v.SetBytes([]byte("x"))
		default:
			t.Fatalf("%s has a kind that this test does not know", kind.Field(i).Name)
		}
		var got Config
		if err := readFiles(appendFiles(nil, &Config{Files: []StaticFile{f}}), &got); err != nil {
			t.Fatal(err)
		}
		got.Files[0].Content = append([]byte(nil), got.Files[0].Content...)
		if d := cmp.Diff(f, got.Files[0]); d != "" {
			t.Errorf("%s: %s", kind.Field(i).Name, d)
		}
	}
}

func FuzzFiles(f *testing.F) {
	f.Add(appendFiles(nil, &Config{Files: []StaticFile{{Path: "/a", Content: []byte("b")}}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(_ *testing.T, b []byte) { _ = readFiles(b, &Config{}) })
}
