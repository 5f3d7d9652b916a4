package detfs

import (
	"path"
	"syscall"
)

// missing is how many of the absolute paths, from the first on, are surely not there
// for whoever looks them up: no mount lies over them, and all that is on the way is
// directories that everybody may search. What is asked of the layers is what such a
// look-up asks.
func (f *fsys) missing(paths []string) int {
	for i, p := range paths {
		if !path.IsAbs(p) || !f.surelyMissing(split(path.Clean(p))) {
			return i
		}
	}
	return len(paths)
}

func (f *fsys) surelyMissing(names []string) bool {
	if len(names) == 0 || names[0] == "proc" || names[0] == "sys" || names[0] == "dev" {
		return false
	}
	d := f.guest
	for i, name := range names {
		const search = 0o111
		if d.mode&search != search {
			return false
		}
		n, errno := f.lookup(d, []byte(name))
		if errno != 0 {
			return errno == syscall.ENOENT
		}
		if i == len(names)-1 || n.isLink() {
			return false
		}
		if !n.isDir() {
			return true // ENOTDIR
		}
		d = n
	}
	return false
}

// tally is a number as an answer.
type tally int

func (n *tally) code(c *coder) { number(c, n) }

// Missing tells how many of the absolute guest paths, from the first on, are surely
// not there. It knows nothing of others that are not there either: those that lead
// over links, into mounts, or where not everybody may look.
func (c *Client) Missing(paths []string) (int, error) {
	var n tally
	err := c.call(&call{Op: "missing", Tar: TarRequest{Paths: paths}}, -1, &n)
	return int(n), err
}
