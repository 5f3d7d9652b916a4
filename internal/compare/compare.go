package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"dettrace/internal/archive"
)

// Kinds of difference.
const (
	OnlyInA = "only in a"
	OnlyInB = "only in b"
	Content = "content"
	Type    = "type"
	Mode    = "mode"
	Owner   = "owner"
	Time    = "time"
	Link    = "link"
	Device  = "device"
	Attr    = "attribute"
	Order   = "order"   // of an archive's members
	Packing = "packing" // an archive differs, and none of its members
)

// Difference is one file, or one member of an archive, that differs.
type Difference struct {
	Path     string       `json:"path"`
	Kinds    []string     `json:"kinds"`
	Notes    []string     `json:"notes,omitempty"`   // one per kind that has more to say: "0644 -> 0755"
	Offset   int64        `json:"offset"`            // of the first byte that differs, with Content
	Fraction bool         `json:"-"`                 // with Time: both are of the same second
	SizeA    int64        `json:"size_a"`            // bytes
	SizeB    int64        `json:"size_b"`            // bytes
	Text     string       `json:"text,omitempty"`    // unified diff of small text files
	Archive  archive.Kind `json:"archive,omitempty"` // both are such
	Members  []Difference `json:"members,omitempty"` // of the archives
	Trouble  string       `json:"trouble,omitempty"` // why the archives could not be opened
	a, b     *archive.File
}

// Options say what counts.
type Options struct {
	IgnoreTimes  bool // of files; inside archives times are content
	IgnoreOwners bool // of files; inside archives owners are content
	NoText       bool // no unified diffs
}

// Limits of what is looked into.
const (
	maxText  = 256 << 10 // bytes of a text file that is diffed
	maxLines = 60        // of a unified diff
	maxDepth = 8         // archives in archives
)

type differ struct {
	o    Options
	open archive.Opener
}

// Trees lists the differences of two trees, sorted by path. Its results do not
// need the trees.
func Trees(a, b *Tree, o Options) ([]Difference, error) {
	d := &differ{o: o}
	out, err := d.lists(a.Files, b.Files, 0)
	return out, errors.Join(err, d.open.Close())
}

// lists compares two sorted lists without doubles.
func (d *differ) lists(a, b []archive.File, depth int) ([]Difference, error) {
	var out []Difference
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && a[i].Path < b[j].Path:
			out = append(out, Difference{Path: a[i].Path, Kinds: []string{OnlyInA}, SizeA: a[i].Size, a: &a[i]})
			i++
		case i == len(a) || b[j].Path < a[i].Path:
			out = append(out, Difference{Path: b[j].Path, Kinds: []string{OnlyInB}, SizeB: b[j].Size, b: &b[j]})
			j++
		default:
			x, err := d.files(&a[i], &b[j], depth)
			if err != nil {
				return out, fmt.Errorf("%s: %w", a[i].Path, err)
			}
			if x != nil {
				out = append(out, *x)
			}
			i, j = i+1, j+1
		}
	}
	return out, nil
}

// files compares two files of one name; nil if they are the same.
func (d *differ) files(a, b *archive.File, depth int) (*Difference, error) {
	x := Difference{Path: a.Path, SizeA: a.Size, SizeB: b.Size, a: a, b: b}
	if a.Mode.Type() != b.Mode.Type() || a.Hard != b.Hard {
		x.add(Type, typeName(a)+" -> "+typeName(b))
		return &x, nil
	}
	if a.Mode.Perm() != b.Mode.Perm() || special(a.Mode) != special(b.Mode) {
		x.add(Mode, fmt.Sprintf("%v -> %v", a.Mode, b.Mode))
	}
	if (a.UID != b.UID || a.GID != b.GID) && (depth > 0 || !d.o.IgnoreOwners) {
		x.add(Owner, fmt.Sprintf("%d:%d -> %d:%d", a.UID, a.GID, b.UID, b.GID))
	}
	if a.ModTime != b.ModTime && (depth > 0 || !d.o.IgnoreTimes) {
		x.Fraction = b.ModTime/1e9 == a.ModTime/1e9
		x.add(Time, stamp(a.ModTime)+" -> "+stamp(b.ModTime))
	}
	if a.Link != b.Link {
		x.add(Link, a.Link+" -> "+b.Link)
	}
	if a.Device != b.Device {
		x.add(Device, fmt.Sprintf("%d:%d -> %d:%d", a.Device>>32, uint32(a.Device), b.Device>>32, uint32(b.Device)))
	}
	if !maps.Equal(a.Xattrs, b.Xattrs) {
		x.add(Attr, attrs(a.Xattrs, b.Xattrs))
	}
	if a.Data != nil && b.Data != nil {
		off, err := firstDifference(a.Data, b.Data)
		if err != nil {
			return nil, err
		}
		if off >= 0 {
			x.Kinds, x.Offset = append(x.Kinds, Content), off
			if err := d.inside(&x, depth); err != nil {
				return nil, err
			}
		}
	}
	if len(x.Kinds) == 0 {
		return nil, nil
	}
	return &x, nil
}

func (x *Difference) add(kind, note string) {
	x.Kinds, x.Notes = append(x.Kinds, kind), append(x.Notes, kind+" "+note)
}

func special(m fs.FileMode) fs.FileMode { return m & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky) }

func typeName(f *archive.File) string {
	switch {
	case f.Hard:
		return "hard link"
	case f.Mode.IsRegular():
		return "file"
	case f.Mode.IsDir():
		return "directory"
	case f.Mode&fs.ModeSymlink != 0:
		return "symlink"
	case f.Mode&fs.ModeNamedPipe != 0:
		return "fifo"
	}
	return "device"
}

func stamp(ns int64) string {
	if ns == archive.NoTime {
		return "none"
	}
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.999999999Z")
}

// attrs names the attributes that differ.
func attrs(a, b map[string]string) string {
	var out []string
	names := slices.Concat(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b)))
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		if x, y := a[n], b[n]; x != y {
			out = append(out, n+" "+strconv.Quote(x)+" -> "+strconv.Quote(y))
		}
	}
	return strings.Join(out, ", ")
}

// firstDifference is where two contents part; -1 if nowhere.
func firstDifference(a, b *io.SectionReader) (int64, error) {
	const block = 256 << 10
	x, y := make([]byte, block), make([]byte, block)
	for at := int64(0); ; at += block {
		n, err := a.ReadAt(x, at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		m, err := b.ReadAt(y, at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if !bytes.Equal(x[:n], y[:m]) {
			for i := range min(n, m) {
				if x[i] != y[i] {
					return at + int64(i), nil
				}
			}
			return at + int64(min(n, m)), nil
		}
		if n < block {
			return -1, nil
		}
	}
}

// inside looks into the two files: as archives, else as text.
func (d *differ) inside(x *Difference, depth int) error {
	kind := archive.Sniff(x.a.Data)
	if kind != "" && kind == archive.Sniff(x.b.Data) && depth < maxDepth {
		if err := d.archives(x, kind, depth); err == nil {
			return nil
		} else if errors.Is(err, archive.ErrTooLarge) {
			return err
		} else { // damaged: bytes like any other
			x.Trouble = err.Error()
		}
	}
	if d.o.NoText || x.SizeA > maxText || x.SizeB > maxText {
		return nil
	}
	a, err := text(x.a.Data)
	if err != nil || a == nil {
		return err
	}
	b, err := text(x.b.Data)
	if err != nil || b == nil {
		return err
	}
	lines := strings.SplitAfter(string(diff.Diff("a/"+x.Path, a, "b/"+x.Path, b)), "\n")
	if len(lines) > 0 {
		lines = lines[1:] // "diff a/... b/..."
	}
	if len(lines) > maxLines {
		lines = append(lines[:maxLines], fmt.Sprintf("... %d more lines\n", len(lines)-maxLines))
	}
	x.Text = strings.Join(lines, "")
	return nil
}

// text is the content of a text file, nil for any other.
func text(r *io.SectionReader) ([]byte, error) {
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return nil, err
	}
	return b, nil
}

// archives compares the members of two archives.
func (d *differ) archives(x *Difference, kind archive.Kind, depth int) error {
	_, a, err := d.open.Open(x.Path, x.a.Data)
	if err != nil {
		return err
	}
	_, b, err := d.open.Open(x.Path, x.b.Data)
	if err != nil {
		return err
	}
	orderA, orderB := paths(a), paths(b)
	number(a)
	number(b)
	archive.Sort(a)
	archive.Sort(b)
	members, err := d.lists(a, b, depth+1)
	if err != nil {
		return err
	}
	x.Archive, x.Members = kind, members
	slices.Sort(orderA.sorted)
	slices.Sort(orderB.sorted)
	switch {
	case !slices.Equal(orderA.list, orderB.list) && slices.Equal(orderA.sorted, orderB.sorted):
		i := 0
		for orderA.list[i] == orderB.list[i] {
			i++
		}
		x.add(Order, fmt.Sprintf("of members: no. %d is %s -> %s", i+1, orderA.list[i], orderB.list[i]))
	case len(members) == 0:
		x.add(Packing, "of equal members")
	}
	return nil
}

type pathList struct{ list, sorted []string }

func paths(files []archive.File) (p pathList) {
	for _, f := range files {
		p.list = append(p.list, f.Path)
	}
	p.sorted = slices.Clone(p.list)
	return p
}

// number tells members of one name apart: the second is "NAME#2".
func number(files []archive.File) {
	seen := map[string]int{}
	for i := range files {
		p := files[i].Path
		if seen[p]++; seen[p] > 1 {
			files[i].Path = fmt.Sprintf("%s#%d", p, seen[p])
		}
	}
}
