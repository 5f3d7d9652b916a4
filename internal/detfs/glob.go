package detfs

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// glob finds the guest paths that match an absolute pattern (path.Match per
// name; a leading "." is matched only by a pattern that has it, as glob(7)
// says). Without special characters it is a test for existence.
func (f *fsys) glob(pattern string) ([]string, error) {
	pattern = path.Clean("/" + pattern)
	type found struct {
		path string
		n    *node
	}
	at := []found{{"", f.guest}}
	for _, part := range split(pattern) {
		if _, err := path.Match(part, ""); err != nil {
			return nil, fmt.Errorf("detfs: glob %s: %w", pattern, err)
		}
		var next []found
		for _, a := range at {
			if !a.n.isDir() {
				continue
			}
			names := []string{part}
			if strings.ContainsAny(part, `*?[\`) {
				list, errno := f.listing(a.n)
				if errno != 0 {
					return nil, &walkError{a.path, errno}
				}
				names = names[:0]
				for _, e := range list {
					hidden := strings.HasPrefix(e.name, ".") && !strings.HasPrefix(part, ".")
					if ok, _ := path.Match(part, e.name); ok && !hidden {
						names = append(names, e.name)
					}
				}
			}
			for _, name := range names {
				n, errno := f.lookup(a.n, []byte(name))
				if errno != 0 {
					continue
				}
				p := a.path + "/" + name
				if n.isLink() && strings.Count(p, "/") < len(split(pattern)) {
					if n, errno = f.step(a.n, name, 0); errno != 0 {
						continue
					}
				}
				next = append(next, found{p, n})
			}
		}
		at = next
	}
	out := make([]string, 0, len(at))
	for _, a := range at {
		if a.path == "" {
			a.path = "/"
		}
		out = append(out, a.path)
	}
	slices.Sort(out)
	return out, nil
}
