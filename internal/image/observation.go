package image

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Kinds of observations.
const (
	Stat    = "stat"    // Text: type, permissions, owner, size and whatever else stat(2) shows
	Missing = "missing" // the name is not there
	Denied  = "denied"  // the host does not let us look (EACCES)
	List    = "list"    // Digest: names, types and numbers of a directory's entries
	Link    = "link"    // Text: the target
	Attrs   = "xattr"   // Digest: names and values
	Read    = "read"    // Digest: the content
)

// Observation is one thing a run learned from a layer. Which there are is a
// function of the calls that the guest made, of whole files and whole listings:
// neither the kernel's caches nor how much it read ahead can be seen in them.
type Observation struct {
	Path   string // inside the layer, absolute; any bytes
	Kind   string
	Digest string // "sha256:..."
	Text   string
}

type observationJSON struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	Digest string `json:"digest,omitempty"`
	Text   string `json:"text,omitempty"`
}

// MarshalJSON keeps every byte: see EscapePath.
func (o Observation) MarshalJSON() ([]byte, error) {
	return json.Marshal(observationJSON{EscapePath(o.Path), o.Kind, o.Digest, EscapePath(o.Text)})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (o *Observation) UnmarshalJSON(b []byte) error {
	var j observationJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	path, err := UnescapePath(j.Path)
	if err != nil {
		return err
	}
	text, err := UnescapePath(j.Text)
	*o = Observation{path, j.Kind, j.Digest, text}
	return err
}

// EscapePath writes a path, which may hold any bytes, as one line of UTF-8: a
// byte that is part of no character, and a control character, becomes \xNN, and
// a backslash two.
func EscapePath(p string) string {
	if utf8.ValidString(p) && !strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == '\\' }) {
		return p
	}
	var b strings.Builder
	for len(p) > 0 {
		r, k := utf8.DecodeRuneInString(p)
		switch {
		case r == utf8.RuneError && k == 1, r < ' ':
			fmt.Fprintf(&b, `\x%02x`, p[0])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteString(p[:k])
		}
		p = p[k:]
	}
	return b.String()
}

// UnescapePath is the inverse of EscapePath.
func UnescapePath(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b.WriteByte(s[i])
		case strings.HasPrefix(s[i:], `\\`):
			b.WriteByte('\\')
			i++
		case strings.HasPrefix(s[i:], `\x`) && len(s) >= i+4:
			v, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
			if err != nil {
				return "", fmt.Errorf("path %q: bad escape", s)
			}
			b.WriteByte(byte(v))
			i += 3
		default:
			return "", fmt.Errorf("path %q: bad escape", s)
		}
	}
	return b.String(), nil
}

// ObservedDigest identifies a list that Observed gave.
func ObservedDigest(obs []Observation) string {
	h := sha256.New()
	for _, o := range obs {
		for _, s := range []string{o.Path, o.Kind, o.Digest, o.Text} {
			field(h, s)
		}
	}
	return sumString(h)
}

func sortObservations(obs []Observation) {
	slices.SortFunc(obs, func(a, b Observation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind))
	})
}

// contentNode is a node that knows the digest of its content, as "sha256:HEX".
type contentNode interface{ ContentDigest() (string, error) }

// observe asks n, found at path, for what an observation of this kind tells.
func observe(n Node, path, kind string, epoch int64) (Observation, error) {
	o := Observation{Path: path, Kind: kind}
	var err error
	switch kind {
	case Stat:
		o.Text = statText(n.Meta(), epoch)
	case List:
		var list []Dirent
		if list, err = n.ReadDir(); err == nil {
			o.Digest = listDigest(list)
		}
	case Link:
		o.Text, err = n.Readlink()
	case Attrs:
		var xs []Xattr
		if xs, err = n.Xattrs(); err == nil {
			o.Digest = xattrDigest(xs)
		}
	case Read:
		c, ok := n.(contentNode)
		if !ok {
			return o, fmt.Errorf("%s: content without a digest", path)
		}
		o.Digest, err = c.ContentDigest()
	default:
		err = fmt.Errorf("%s: unknown observation %q", path, kind)
	}
	return o, err
}

// statText is what stat(2) shows of m. The number is a function of the path but
// for hard links, the time is the epoch but where the layer keeps times.
func statText(m Meta, epoch int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s mode=%04o owner=%d:%d size=%d", typeName(m.Mode), m.Mode&0o7777, m.UID, m.GID, m.Size)
	if m.Rdev != 0 {
		fmt.Fprintf(&b, " device=%d:%d", unix.Major(m.Rdev), unix.Minor(m.Rdev))
	}
	if m.Nlink > 1 && m.Mode&unix.S_IFMT != unix.S_IFDIR {
		fmt.Fprintf(&b, " links=%d ino=%d", m.Nlink, m.Ino)
	}
	if m.Mtime != epoch {
		fmt.Fprintf(&b, " mtime=%d.%09d", m.Mtime/1e9, m.Mtime%1e9)
	}
	return b.String()
}

func typeName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFCHR:
		return "char"
	case unix.S_IFBLK:
		return "block"
	case unix.S_IFIFO:
		return "fifo"
	}
	return "socket"
}

// kindsOf names what flags say was seen.
func kindsOf(flags uint8) []string {
	var kinds []string
	for _, k := range []struct {
		flag uint8
		kind string
	}{{sawStat, Stat}, {sawList, List}, {sawLink, Link}, {sawXattr, Attrs}, {sawRead, Read}} {
		if flags&k.flag != 0 {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// Difference is an observation that is another one now.
type Difference struct{ Was, Now Observation }

// String says what is different, without the path.
func (d Difference) String() string {
	switch {
	case d.Was.Kind == Missing:
		return "was missing, is there now"
	case d.Now.Kind == Missing:
		return "is gone"
	case d.Now.Kind == Denied || d.Was.Kind == Denied:
		return "another permission to look at it"
	case d.Was.Kind == Read:
		return fmt.Sprintf("other content: was %s, is %s", d.Was.Digest, d.Now.Digest)
	case d.Was.Kind == List:
		return "other names in the directory"
	case d.Was.Kind == Attrs:
		return "other extended attributes"
	case d.Was.Kind == Link:
		return fmt.Sprintf("points to %s, was %s", EscapePath(d.Now.Text), EscapePath(d.Was.Text))
	}
	return fmt.Sprintf("is %s, was %s", d.Now.Text, d.Was.Text)
}

// Compare asks a layer what an earlier run learned from it and gives the first
// most observations that are other ones now.
func Compare(l Layer, epoch int64, was []Observation, most int) ([]Difference, error) {
	r := replay{l: l, epoch: epoch, nodes: make(map[string]answer)}
	var out []Difference
	for _, old := range was {
		now, err := r.ask(old.Path, old.Kind)
		if err != nil {
			return nil, err
		}
		if now == old {
			continue
		}
		if out = append(out, Difference{old, now}); len(out) == most {
			break
		}
	}
	return out, nil
}

// replay walks to each path by names, as the guest's look-ups did.
type replay struct {
	l     Layer
	epoch int64
	nodes map[string]answer
}

// answer is how a look-up ended: kind is Stat (n is the node), Missing or Denied.
type answer struct {
	n    Node
	kind string
}

func (r *replay) ask(path, kind string) (Observation, error) {
	a, err := r.find(path)
	if err != nil {
		return Observation{Path: path}, err
	}
	if a.kind != Stat || kind == Missing || kind == Denied {
		return Observation{Path: path, Kind: a.kind}, nil
	}
	o, err := observe(a.n, path, kind, r.epoch)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Observation{Path: path, Kind: Denied}, nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EINVAL): // another type of file now
		return Observation{Path: path, Kind: Stat, Text: statText(a.n.Meta(), r.epoch)}, nil
	}
	return o, err
}

func (r *replay) find(path string) (answer, error) {
	if a, ok := r.nodes[path]; ok {
		return a, nil
	}
	a := answer{kind: Stat}
	var err error
	if path == "/" {
		a.n, err = r.l.Root()
	} else {
		i := strings.LastIndexByte(path, '/')
		var dir answer
		if dir, err = r.find(path[:max(i, 1)]); err != nil {
			return answer{}, err
		}
		if dir.kind == Stat {
			a.n, err = dir.n.Lookup(path[i+1:])
		} else {
			a = answer{kind: Missing}
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		a = answer{kind: Missing}
	case errors.Is(err, fs.ErrPermission):
		a = answer{kind: Denied}
	case err != nil:
		return answer{}, err
	}
	r.nodes[path] = a
	return a, nil
}
