package explain

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"dettrace/internal/archive"
	"dettrace/internal/compare"
	"dettrace/internal/vary"
)

// Against is how results compare to artifacts that were built elsewhere.
type Against struct {
	Result  string      `json:"result"`  // same, different
	Matched []string    `json:"matched"` // artifacts that are equal, by the path of ours
	Missing []string    `json:"missing"` // artifacts that the command did not make
	Differ  []Elsewhere `json:"differ"`
	Report  *Report     `json:"report,omitempty"` // of the sources, if something differs
}

// Elsewhere is a place in which ours and theirs differ.
type Elsewhere struct {
	Place
	File    string   `json:"file"`
	Sources []string `json:"sources"` // that reach this place; else, this file
	Exact   bool     `json:"exact"`   // this very place
}

// artifact is one file that was built elsewhere.
type artifact struct {
	name string            // base name, or path below a directory
	data *io.SectionReader // nil: only the digest is known
	sum  string            // SHA-256, hexadecimal
}

// Compare runs the command, compares what it makes with the artifacts in ref (a
// file, a directory, or a .buildinfo of dpkg) and explains what differs.
func Compare(ctx context.Context, p *Program, ref string, o Options) (*Against, error) {
	theirs, done, err := artifacts(ref)
	if err != nil {
		return nil, err
	}
	defer done()
	p.Jobs = make(chan struct{}, max(o.Jobs, 1))
	base, err := p.Run(ctx, vary.Plan{}, true, false)
	if err != nil {
		return nil, err
	}
	if base.failed() {
		return nil, fmt.Errorf("the command fails with status %d: %s", base.Status, base.Tail)
	}
	t, err := p.tree(base)
	if err != nil {
		return nil, err
	}
	defer t.Close() // only read: nothing can be lost
	a := &Against{Result: "same", Matched: []string{}, Missing: []string{}, Differ: []Elsewhere{}}
	for _, x := range theirs {
		if err := a.one(t, x); err != nil {
			return nil, err
		}
	}
	if len(theirs) == 0 {
		return nil, fmt.Errorf("%s: no artifact in it", ref)
	}
	if len(a.Differ) == 0 {
		if len(a.Missing) > 0 {
			a.Result = "different"
		}
		return a, nil
	}
	a.Result = "different"
	a.Report, err = Explain(ctx, p, o)
	if err != nil {
		return nil, err
	}
	for i := range a.Differ {
		a.Differ[i].explain(a.Report)
	}
	return a, nil
}

// explain names the sources of one difference.
func (e *Elsewhere) explain(r *Report) {
	e.Sources = []string{}
	for _, exact := range []bool{true, false} {
		for _, c := range r.Causes {
			reaches := slices.ContainsFunc(c.Places, func(p Place) bool {
				return p.Path == e.Path && (p.Offset == e.Offset || e.Offset < 0) || !exact && fileOf(p.Path) == e.File && len(common(p.Kinds, e.Kinds)) > 0
			})
			if reaches && !slices.Contains(e.Sources, c.Source) {
				e.Sources = append(e.Sources, c.Source)
			}
		}
		if len(e.Sources) > 0 {
			e.Exact = exact
			return
		}
	}
}

// one compares one artifact with ours of its name.
func (a *Against) one(t *compare.Tree, x artifact) error {
	i := slices.IndexFunc(t.Files, func(f archive.File) bool {
		return f.Data != nil && (f.Path == x.name || strings.HasSuffix(f.Path, "/"+x.name))
	})
	if i < 0 {
		a.Missing = append(a.Missing, x.name)
		return nil
	}
	ours := t.Files[i]
	sum, err := sumOf(ours.Data)
	if err != nil {
		return err
	}
	if sum == x.sum {
		a.Matched = append(a.Matched, ours.Path)
		return nil
	}
	if x.data == nil {
		a.Differ = append(a.Differ, Elsewhere{Place: Place{ours.Path, []string{compare.Content}, -1}, File: ours.Path})
		return nil
	}
	other := ours
	other.Data, other.Size = x.data, x.data.Size()
	diffs, err := compare.Trees(&compare.Tree{Files: []archive.File{ours}}, &compare.Tree{Files: []archive.File{other}}, compare.Options{NoText: true})
	for _, d := range diffs {
		for _, l := range d.Leaves() {
			a.Differ = append(a.Differ, Elsewhere{Place: Place{l.Path, l.Kinds, l.Offset}, File: ours.Path})
		}
	}
	return err
}

func sumOf(r *io.SectionReader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, io.NewSectionReader(r, 0, r.Size()))
	return hex.EncodeToString(h.Sum(nil)), err
}

// artifacts lists what ref holds; done closes it.
func artifacts(ref string) (out []artifact, done func(), err error) {
	info, err := os.Stat(ref)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() && strings.HasSuffix(ref, ".buildinfo") {
		out, err = buildinfo(ref)
		return out, func() {}, err
	}
	if !info.IsDir() {
		f, err := os.Open(ref)
		if err != nil {
			return nil, nil, err
		}
		data := io.NewSectionReader(f, 0, info.Size())
		sum, err := sumOf(data)
		return []artifact{{path.Base(ref), data, sum}}, func() { _ = f.Close() }, err
	}
	t, err := compare.Open(ref)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range t.Files {
		if f.Data == nil {
			continue
		}
		sum, err := sumOf(f.Data)
		if err != nil {
			return nil, nil, errors.Join(err, t.Close())
		}
		out = append(out, artifact{f.Path, f.Data, sum})
	}
	return out, func() { _ = t.Close() }, nil
}

// buildinfo reads the field Checksums-Sha256 (deb-buildinfo(5)): lines of
// digest, size and name.
func buildinfo(ref string) (out []artifact, err error) {
	f, err := os.Open(ref)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read: nothing can be lost
	in := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		l := lines.Text()
		if !strings.HasPrefix(l, " ") {
			in = strings.HasPrefix(l, "Checksums-Sha256:")
			continue
		}
		if w := strings.Fields(l); in && len(w) == 3 && len(w[0]) == 64 {
			out = append(out, artifact{name: w[2], sum: w[0]})
		}
	}
	return out, lines.Err()
}
