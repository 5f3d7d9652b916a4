package rootfs

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// The manifest is the canonical form of a tree, documented in docs/images.md:
// lines of fields with one space between, the first of which is the path.

// Magic is the first line of a manifest.
const Magic = "dettrace-image 1\n"

// WriteManifest writes the canonical form. config is the canonical image
// config, or "" for none. Every regular file must have its Digest, and Number
// must have been called.
func (t *Tree) WriteManifest(w io.Writer, config string) error {
	b := bufio.NewWriterSize(w, 64<<10)
	b.WriteString(Magic)
	if config != "" {
		b.WriteString("config " + config + "\n")
	}
	first := make(map[*Node]string)
	line := make([]byte, 0, 512)
	err := t.Walk(func(p string, n *Node) error {
		line = appendEscaped(line[:0], p)
		if n.Nlink > 1 && !n.IsDir() {
			if f, ok := first[n]; ok {
				line = append(line, " h "...)
				line = append(appendEscaped(line, f), '\n')
				_, err := b.Write(line)
				return err
			}
			first[n] = p
		}
		line = n.appendFields(line)
		_, err := b.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	return b.Flush()
}

// appendFields appends all fields behind the path, and the lines of xattrs.
func (n *Node) appendFields(line []byte) []byte {
	line = append(line, ' ', typeLetter(n.Mode))
	line = fmt.Appendf(line, " %04o %d %d ", n.Mode&0o7777, n.UID, n.GID)
	if n.Implied {
		line = append(line, '-')
	} else {
		line = strconv.AppendInt(line, n.Mtime, 10)
	}
	switch n.Type() {
	case unix.S_IFREG:
		line = fmt.Appendf(line, " %d ", n.Size)
		line = hex.AppendEncode(line, n.Digest[:])
	case unix.S_IFLNK:
		line = appendEscaped(append(line, ' '), n.Target)
	case unix.S_IFCHR, unix.S_IFBLK:
		line = fmt.Appendf(line, " %d,%d", unix.Major(n.Rdev), unix.Minor(n.Rdev))
	}
	line = append(line, '\n')
	for _, x := range n.Xattrs {
		line = appendEscaped(append(line, " x "...), x.Name)
		line = append(line, ' ')
		line = append(appendEscaped(line, string(x.Value)), '\n')
	}
	return line
}

const typeLetters = "dflcbp"

func types() [len(typeLetters)]uint32 {
	return [...]uint32{unix.S_IFDIR, unix.S_IFREG, unix.S_IFLNK, unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO}
}

func typeLetter(mode uint32) byte {
	for i, t := range types() {
		if t == mode&unix.S_IFMT {
			return typeLetters[i]
		}
	}
	return '?'
}

// appendEscaped appends s with blanks, control characters, DEL and the backslash as
// three octal digits behind a backslash, as /proc/mounts does.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '\\' {
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// Escape is the form a path or a value has in a manifest.
func Escape(s string) string { return string(appendEscaped(nil, s)) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sortXattrs sorts by name and refuses one name twice.
func sortXattrs(xs []Xattr) ([]Xattr, error) {
	slices.SortFunc(xs, func(a, b Xattr) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(xs); i++ {
		if xs[i].Name == xs[i-1].Name {
			return nil, fmt.Errorf("attribute %s twice", quoteName(xs[i].Name))
		}
	}
	return xs, nil
}
