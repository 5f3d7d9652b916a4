package sandbox

import "testing"

func TestWindowOf(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
		ok         bool
	}{
		{"host", "         0          0 4294967295\n", hostBase, true},
		{"nested", "0 100000 65536\n", 0, true},
		{"nested with self", "0 1000 1\n1 100000 65536\n", 1, true},
		{"nested wide", "0 1000 1\n1 100000 200000\n", 200001 - 65536, true},
		{"range taken apart", "0 0 1879048193\n1879048193 1879048193 1\n", 1879048193 - 65536, true},
		{"one id", "0 1000 1\n", 0, false},
		{"empty", "", 0, false},
		{"garbage", "a b c\n", 0, false},
	} {
		if got, ok := windowOf(c.text); got != c.want || ok != c.ok {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestSubordinateOf(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
		ok         bool
	}{
		{"by name", "root:1:65536\nalice:100000:65536\n", 100000, true},
		{"by number", "1000:200000:70000", 200000, true},
		{"first wide enough", "alice:5:10\nalice:300000:65535\nalice:400000:65536\n", 300000, true},
		{"too narrow", "alice:100000:1000\n", 0, false},
		{"other user", "bob:100000:65536\n", 0, false},
		{"host root", "alice:0:65536\n", 0, false},
		{"garbage", "alice\nalice:x:y\n::\n# alice:1:65536\n", 0, false},
	} {
		if got, ok := subordinateOf(c.text, "alice", "1000"); got != c.want || ok != c.ok {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func FuzzIDFiles(f *testing.F) {
	f.Add("0 0 4294967295\n")
	f.Add("alice:100000:65536\n")
	f.Fuzz(func(t *testing.T, text string) {
		if base, ok := subordinateOf(text, "alice", "1000"); ok && base <= 0 {
			t.Errorf("base %d", base)
		}
		windowOf(text)
	})
}
