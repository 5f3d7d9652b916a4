package cache

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/image"
	"dettrace/internal/run"
)

// maxTries bounds the entries that are compared for one key: each costs a few
// microseconds per observation.
const maxTries = 64

// hit is a stored run whose blobs are open and checked.
type hit struct {
	e     *entry
	known [][]image.Observation
	spec  *run.Spec
	stdio *os.File
	tars  map[string]*os.File
}

func (h *hit) close() {
	for _, name := range slices.Sorted(maps.Keys(h.tars)) {
		_ = h.tars[name].Close() // only read
	}
	if h.stdio != nil {
		_ = h.stdio.Close()
	}
}

// Miss says why nothing stored can be used.
type Miss struct {
	Layer string            // guest path of the image or input
	Found *image.Difference // the first thing there that is another one now
	Text  string            // other reasons
}

func (m Miss) String() string {
	if m.Found == nil {
		return m.Text
	}
	return image.EscapePath(path.Join(m.Layer, m.Found.Was.Path)) + ": " + m.Found.String()
}

// layers are the present ones, opened once for all entries that are compared;
// nil for one whose digest is part of the key.
type layers struct {
	open run.Layers
	spec *run.Spec
}

func (c *Cache) openLayers(spec *run.Spec) (*layers, error) {
	open, err := run.OpenLayers(spec, c.digests, func(ref string) bool { return strings.HasPrefix(ref, "tar:") })
	return &layers{open, spec}, err
}

func (l *layers) close() { _ = l.open.Close() } // only read

// guest is where layer i is mounted.
func (l *layers) guest(i int) string {
	if i == 0 {
		return "/"
	}
	return l.spec.Inputs[i-1].Guest
}

// lookup finds a stored run for the key whose observations are all the same
// now. Without one, Miss says why not.
func (c *Cache) lookup(key string, parts []Part, spec *run.Spec) (*hit, Miss, error) {
	unlock, err := c.lock(unix.LOCK_SH)
	if err != nil {
		return nil, Miss{}, err
	}
	defer unlock()
	candidates := c.list(key)
	if len(candidates) == 0 {
		return nil, Miss{Text: c.nearest(parts)}, nil
	}
	present, err := c.openLayers(spec)
	if err != nil {
		return nil, Miss{}, err
	}
	defer present.close()
	var why Miss
	for i, f := range candidates[:min(len(candidates), maxTries)] {
		h, miss := c.try(f, present)
		if h != nil {
			_ = c.digests.Flush() // slower next time, no more
			c.use(h.e)
			return h, Miss{}, nil
		}
		if i == 0 {
			why = miss
		}
	}
	_ = c.digests.Flush()
	return nil, why, nil
}

// try compares one entry.
func (c *Cache) try(f found, present *layers) (*hit, Miss) {
	damaged := func(err error) (*hit, Miss) { return nil, Miss{Text: "the stored run cannot be used: " + err.Error()} }
	e, err := c.read(f.key, f.id)
	if err != nil {
		return damaged(err)
	}
	h := &hit{e: e, spec: present.spec, tars: make(map[string]*os.File)}
	text, err := c.slurp(e.Learned)
	if err == nil {
		h.known, err = parseObservations(text)
	}
	if err == nil && len(h.known) != len(present.open) {
		err = errDamaged
	}
	if err != nil {
		return damaged(err)
	}
	for i, was := range h.known {
		if present.open[i] == nil {
			continue
		}
		found, err := image.Compare(present.open[i], present.spec.EpochNS, was, 1)
		if err != nil {
			return damaged(err)
		}
		if len(found) > 0 {
			return nil, Miss{Layer: present.guest(i), Found: &found[0]}
		}
	}
	if h.stdio, err = c.open(e.Stdio); err != nil {
		return damaged(err)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Tars)) {
		f, err := c.open(e.Tars[name])
		if err != nil {
			h.close()
			return damaged(err)
		}
		h.tars[name] = f
	}
	return h, Miss{}
}

func (c *Cache) slurp(b blob) ([]byte, error) {
	f, err := c.open(b)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var buf bytes.Buffer
	_, err = io.Copy(&buf, f)
	return buf.Bytes(), err
}

// nearest explains a key without entries: which settings differ from those of
// the stored run that is most like it.
func (c *Cache) nearest(parts []Part) string {
	best, bestCount := []string(nil), -1
	for _, f := range c.all() {
		e, err := c.read(f.key, f.id)
		if err != nil {
			continue
		}
		diff := differing(e.Parts, parts)
		if bestCount < 0 || len(diff) < bestCount {
			best, bestCount = diff, len(diff)
		}
		if bestCount == 1 {
			break
		}
	}
	switch {
	case bestCount < 0:
		return "nothing is stored yet"
	case len(best) > 5:
		return "no run with such settings is stored"
	}
	return "no run with these settings is stored; the most similar one differs in: " + strings.Join(best, ", ")
}

// differing names the parts that are not the same in both.
func differing(a, b []Part) []string {
	old := make(map[string]string, len(a))
	for _, p := range a {
		old[p.Name] = p.Value
	}
	var out []string
	for _, p := range b {
		if v, ok := old[p.Name]; !ok || v != p.Value {
			out = append(out, p.Name)
		}
		delete(old, p.Name)
	}
	for _, p := range a {
		if _, left := old[p.Name]; left {
			out = append(out, p.Name)
		}
	}
	return out
}

// Finish implements run.Source.
func (h *hit) Finish(bool) (detfs.Summary, error) {
	s := h.e.Summary
	for i := range s.Layers {
		if s.Layers[i].Ref = h.spec.Image; i > 0 {
			s.Layers[i].Ref = "input:" + h.spec.Inputs[i-1].Host
		}
	}
	return s, nil
}

// Learned implements run.Source.
func (h *hit) Learned(bool, []string) ([]detfs.Learned, error) {
	var out []detfs.Learned
	for i, obs := range h.known {
		out = append(out, detfs.Learned{Digest: h.e.Digests[i], Count: len(obs), Observations: obs})
	}
	return out, nil
}

// Glob implements run.Source.
func (h *hit) Glob(pattern string) ([]string, error) {
	var out []string
	for _, p := range h.e.Globs[image.EscapePath(pattern)] {
		raw, err := image.UnescapePath(p)
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}

// WriteTar implements run.Source.
func (h *hit) WriteTar(w io.Writer, req detfs.TarRequest) error {
	f := h.tars[requestName(req)]
	if f == nil {
		return fmt.Errorf("cache: not stored: %s", requestName(req))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, f)
	return err
}
