package output

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"

	"dettrace/internal/hint"
)

// Set is the outputs of one run: all are staged first, and only when every
// one is complete do they appear.
type Set struct {
	opts   Options
	staged []*stage
	done   int
}

// NewSet is an empty set. Close it.
func NewSet(opts Options) *Set { return &Set{opts: opts} }

// Add stages target from r, a tar of the guest path and what is below it
// (detfs.TarRequest{Paths: {target.Guest}}).
func (s *Set) Add(r io.Reader, target Target) error {
	st, err := newStage(target.Host)
	if err != nil {
		return fmt.Errorf("output %s: %w", target.Host, err)
	}
	s.staged = append(s.staged, st)
	t := newTree(st.fd, s.opts)
	defer t.close()
	err = extract(t, tar.NewReader(r), target.Guest)
	if err == nil {
		err = drain(r)
	}
	if err != nil {
		return fmt.Errorf("output %s: %w", target.Host, err)
	}
	return nil
}

// Commit makes all staged targets appear, in order. The error names the first
// that could not; those before it stay.
func (s *Set) Commit() error {
	for ; s.done < len(s.staged); s.done++ {
		if err := s.staged[s.done].commit(s.opts.Force); err != nil {
			return err
		}
	}
	return nil
}

// Close removes what was staged and not committed, and what was replaced.
func (s *Set) Close() {
	for _, st := range s.staged {
		st.discard()
	}
	s.staged = nil
}

// Extract copies one target out.
func Extract(r io.Reader, target Target, opts Options) error {
	s := NewSet(opts)
	defer s.Close()
	if err := s.Add(r, target); err != nil {
		return err
	}
	return s.Commit()
}

// extract makes the entries of tr at stageName in t.
func extract(t *tree, tr *tar.Reader, guest string) error {
	any := false
	list := &lister{list: t.opts.List, digest: make(map[string]File)}
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("tar: %w", err)
		}
		name, err := guestName(h.Name)
		if err != nil {
			return err
		}
		rel, err := place(name, guest)
		if err != nil {
			return err
		}
		if !any && rel != stageName {
			return fmt.Errorf("tar: %s comes before %s", name, guest)
		}
		any = true
		link := ""
		if h.Typeflag == tar.TypeLink {
			target, err := guestName(h.Linkname)
			if err == nil {
				link, err = place(target, guest)
			}
			if err != nil {
				return fmt.Errorf("%s: hard link: %w", name, err)
			}
		}
		var content io.Reader = tr
		made := func() {}
		if t.opts.List != nil {
			content, made = list.entry(h, content, name)
		}
		if err := t.add(h, content, rel, name, link); err != nil {
			return err
		}
		if !t.skipped[rel] {
			made()
		}
	}
	if !any {
		return hint.With(errors.New("not in the guest"), "the command did not make it")
	}
	if t.skipped[stageName] {
		return errors.New("neither file, directory nor symlink")
	}
	return t.finish()
}

// drain reads what follows a tar's end: a producer that failed says so there.
func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// place is where a guest path goes in the staging directory.
func place(name, guest string) (string, error) {
	rel, ok := under(name, guest)
	switch {
	case !ok:
		return "", fmt.Errorf("tar: %s is not below %s", name, guest)
	case rel == ".":
		return stageName, nil
	}
	return stageName + "/" + rel, nil
}
