package rootfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxLinks = 40 // symlinks in one path, as path_resolution(7)
	maxName  = 255
	maxPath  = 4095 // what a program can hand to the kernel; bounds the manifest, too
)

// cleanName makes a name absolute without "." and "..", which ends at the top.
func cleanName(s string) (string, error) {
	if strings.Contains(s, "\x00") {
		return "", errors.New("name holds a NUL")
	}
	p := path.Clean("/" + s)
	for c := range strings.SplitSeq(p, "/") {
		if len(c) > maxName {
			return "", unix.ENAMETOOLONG
		}
	}
	if len(p) > maxPath {
		return "", unix.ENAMETOOLONG
	}
	return p, nil
}

// components cuts a path, keeping "..".
func components(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(c string) bool { return c == "" || c == "." })
}

// Lookup finds a path of the tree, following symlinks as chroot(2) would, the
// last one too.
func (t *Tree) Lookup(p string) (*Node, error) { return t.find(p, maxLinks) }

// find looks p up and changes nothing; links bounds the symlinks followed.
func (t *Tree) find(p string, links int) (*Node, error) {
	stack := []*Node{t.Root}
	todo := components(p)
	for len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		if c == ".." {
			stack = stack[:max(1, len(stack)-1)]
			continue
		}
		d := stack[len(stack)-1]
		if !d.IsDir() {
			return nil, fmt.Errorf("%q: %w", c, unix.ENOTDIR)
		}
		n := d.Child(c)
		if n == nil {
			return nil, fmt.Errorf("%q: %w", c, unix.ENOENT)
		}
		if n.Type() == unix.S_IFLNK {
			if links--; links < 0 {
				return nil, fmt.Errorf("%q: %w", c, unix.ELOOP)
			}
			if strings.HasPrefix(n.Target, "/") {
				stack = stack[:1]
			}
			todo = append(components(n.Target), todo...)
			continue
		}
		stack = append(stack, n)
	}
	return stack[len(stack)-1], nil
}

// parent finds the directory that an entry's name is in, making what is
// missing. A symlink on the way is followed inside the tree only; where it
// leads nowhere the directories are made there, as container runtimes do.
func (t *Tree) parent(name string) (*Node, error) {
	type step struct {
		n    *Node
		name string // in the step before
		size int    // bytes of the path
	}
	last := len(path.Base(name)) + 1
	stack := []step{{n: t.Root}}
	todo := components(path.Dir(name))
	links := 0
	for len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		if c == ".." {
			stack = stack[:max(1, len(stack)-1)]
			continue
		}
		d := stack[len(stack)-1].n
		size := stack[len(stack)-1].size + 1 + len(c)
		n := d.Child(c)
		if n == nil {
			if len(c) > maxName || size+last > maxPath {
				return nil, fmt.Errorf("parent %q: %w", c, unix.ENAMETOOLONG)
			}
			if err := t.budget.Name(size, 0); err != nil {
				return nil, err
			}
			n = t.implied()
			d.children[c] = dent{n, t.layer}
		}
		switch n.Type() {
		case unix.S_IFDIR:
			stack = append(stack, step{n, c, size})
		case unix.S_IFLNK:
			if links++; links > maxLinks {
				return nil, fmt.Errorf("parent %q: %w", c, unix.ELOOP)
			}
			if strings.HasPrefix(n.Target, "/") {
				stack = stack[:1]
			}
			todo = append(components(n.Target), todo...)
		default:
			return nil, fmt.Errorf("parent %q: %w", c, unix.ENOTDIR)
		}
	}
	if stack[len(stack)-1].size+last > maxPath {
		return nil, unix.ENAMETOOLONG
	}
	for i := 1; i < len(stack); i++ {
		stack[i-1].n.children[stack[i].name] = dent{stack[i].n, t.layer}
	}
	return stack[len(stack)-1].n, nil
}
