package settings

import "testing"

// What InputArg writes is read as the same two paths.
func TestInputArg(t *testing.T) {
	paths := []string{"/a", "/a:b", "/:", "/a:", `/a\`, `/a\\`, `/a\:b`, `/a\\:b`, `/a\b:c`, "/a:b:c", `/a:\:`, `/\:\\`}
	for _, host := range paths {
		for _, guest := range paths {
			arg := InputArg(host, guest)
			if h, g := cutLast(arg); h != host || g != guest {
				t.Errorf("%q and %q: %q is read as %q and %q", host, guest, arg, h, g)
			}
		}
	}
	for _, c := range []struct{ arg, before, after string }{
		{"a", "a", ""},
		{"a:b", "a", "b"},
		{"a:b:c", "a:b", "c"},
		{"a:b:", "a:b", ""},
		{`a:b\:c`, "a", "b:c"},
		{`a\:b`, "a:b", ""},
		{`a\\:b`, `a\`, "b"},
		{`a\b:c\d`, `a\b`, `c\d`},
		{`a\`, `a\`, ""},
	} {
		if b, a := cutLast(c.arg); b != c.before || a != c.after {
			t.Errorf("%q is read as %q and %q", c.arg, b, a)
		}
	}
}
