// Package lock is dettrace.lock: what a build was made from and what it made,
// by digest. It holds what the build really read, not everything that was
// declared, so a file that it did not look at can change. The file is JSON with
// one line per observation, to be read in a diff, and the same on any machine.
package lock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"dettrace/internal/detfs"
	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/report"
	"dettrace/internal/run"
)

// Name is the file beside dettrace.toml.
const Name = "dettrace.lock"

// Schema counts incompatible changes of the JSON.
const Schema = 1

// File is a lock.
type File struct {
	Schema   int               `json:"schema"`
	Dettrace string            `json:"dettrace"` // version that wrote it; for information
	Builds   map[string]*Build `json:"builds"`
}

// Build is one build of the file.
type Build struct {
	Settings []Setting       `json:"settings"`
	Image    Source          `json:"image"`
	Inputs   []Source        `json:"inputs"`
	Outputs  []report.Output `json:"outputs"`
}

// Setting is one setting that the result depends on.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Source is the image or an input.
type Source struct {
	Guest  string `json:"guest"`  // where the build sees it
	Digest string `json:"digest"` // of everything (archive, store), or of Read
	// Read is everything the build learned: "KIND PATH[ DIGEST]" or
	// "KIND PATH | TEXT", with paths inside the source. Absent where Digest is
	// of everything.
	Read []string `json:"read,omitempty"`
}

// settingsOf lists the settings of a build. The image's own are in its digest,
// secrets in nothing.
func settingsOf(s *run.Spec) []Setting {
	var out []Setting
	add := func(name string, value any) { out = append(out, Setting{name, fmt.Sprint(value)}) }
	add("command", words(s.Command))
	add("workdir", s.Workdir)
	add("epoch", report.FormatEpoch(s.EpochNS))
	add("seed", s.Seed)
	add("schedule-seed", s.ScheduleSeed)
	add("cpus", max(s.CPUs, 1))
	add("hostname", s.Hostname)
	add("user", s.User)
	add("memory", s.Memory)
	add("pids", s.Pids)
	add("allow", words(s.Allow))
	add("secrets", words(s.Secrets))
	for _, kv := range report.RedactEnv(s.Env, s.Secrets) {
		name, value, _ := strings.Cut(kv, "=")
		add("environment "+name, value)
	}
	var guests []string
	for _, o := range s.Outputs {
		guests = append(guests, o.Guest)
	}
	add("outputs", words(guests))
	for _, in := range s.Inputs {
		add("input "+in.Guest, fmt.Sprintf("follow=%v", in.Follow))
	}
	return out
}

func words(list []string) string {
	if list == nil {
		list = []string{}
	}
	b, _ := json.Marshal(list) // strings always marshal
	return string(b)
}

// Of describes a finished build.
func Of(s *run.Spec, learned []detfs.Learned, outputs []report.Output) *Build {
	b := &Build{Settings: settingsOf(s), Inputs: []Source{}, Outputs: outputs}
	if b.Outputs == nil {
		b.Outputs = []report.Output{}
	}
	for i, l := range learned {
		src := Source{Guest: "/", Digest: l.Digest}
		if i > 0 {
			src.Guest = s.Inputs[i-1].Guest
		}
		if i > 0 || lazy(s.Image) {
			src.Read = make([]string, 0, len(l.Observations))
			for _, o := range l.Observations {
				src.Read = append(src.Read, line(o))
			}
		}
		if i == 0 {
			b.Image = src
		} else {
			b.Inputs = append(b.Inputs, src)
		}
	}
	return b
}

// lazy says whether the digest of an image is that of what was read of it.
func lazy(ref string) bool { return ref == "host" || strings.HasPrefix(ref, "dir:") }

// line is o as text. A path has no blank at its ends: blanks become \x20.
func line(o image.Observation) string {
	p := strings.ReplaceAll(image.EscapePath(o.Path), " ", `\x20`)
	switch {
	case o.Digest != "":
		return o.Kind + " " + p + " " + o.Digest
	case o.Text != "":
		return o.Kind + " " + p + " | " + image.EscapePath(o.Text)
	}
	return o.Kind + " " + p
}

func parseLine(s string) (o image.Observation, err error) {
	f := strings.SplitN(s, " ", 3)
	if len(f) < 2 {
		return o, fmt.Errorf("lock: bad line %q", s)
	}
	o.Kind = f[0]
	if o.Path, err = image.UnescapePath(f[1]); err != nil || len(f) == 2 {
		return o, err
	}
	if text, ok := strings.CutPrefix(f[2], "| "); ok {
		o.Text, err = image.UnescapePath(text)
	} else {
		o.Digest = f[2]
	}
	return o, err
}

// observations are Read again.
func (s *Source) observations() ([]image.Observation, error) {
	out := make([]image.Observation, 0, len(s.Read))
	for _, l := range s.Read {
		o, err := parseLine(l)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	if image.ObservedDigest(out) != s.Digest {
		return nil, hint.With(fmt.Errorf("lock: %s: the list does not have the digest %s", s.Guest, s.Digest), "the file was edited; --update-lock makes it anew")
	}
	return out, nil
}

// Files gives the files whose content was read, by guest path, escaped as
// image.EscapePath does. The list must have the digest that the lock says.
func (s *Source) Files() ([]image.Observation, error) {
	if s.Read == nil {
		return nil, nil
	}
	obs, err := s.observations()
	if err != nil {
		return nil, err
	}
	var out []image.Observation
	for _, o := range obs {
		if o.Kind == image.Read {
			o.Path = image.EscapePath(path.Join(s.Guest, o.Path))
			out = append(out, o)
		}
	}
	return out, nil
}

// most differences that are named
const most = 10

// Check compares settings, image and inputs of a build that is about to run
// with the lock, and says what differs; nothing if nothing does. open gives
// the present layers, which it closes; an error of it is an error of Check.
func (b *Build) Check(s *run.Spec, open func() (run.Layers, error)) ([]string, error) {
	var diff []string
	now := settingsOf(s)
	for _, n := range now {
		i := slices.IndexFunc(b.Settings, func(o Setting) bool { return o.Name == n.Name })
		switch {
		case i < 0:
			diff = append(diff, fmt.Sprintf("%s: is new, %s", n.Name, n.Value))
		case b.Settings[i].Value != n.Value:
			diff = append(diff, fmt.Sprintf("%s: is %s, in the lock %s", n.Name, n.Value, b.Settings[i].Value))
		}
	}
	for _, o := range b.Settings {
		if !slices.ContainsFunc(now, func(n Setting) bool { return n.Name == o.Name }) {
			diff = append(diff, fmt.Sprintf("%s: is not given, in the lock %s", o.Name, o.Value))
		}
	}
	guests := []string{"/"}
	for _, in := range s.Inputs {
		guests = append(guests, in.Guest)
	}
	sources := append([]Source{b.Image}, b.Inputs...)
	if len(sources) != len(guests) {
		return append(diff, fmt.Sprintf("inputs: %d, in the lock %d", len(guests)-1, len(sources)-1)), nil
	}
	layers, err := open()
	if err != nil {
		return nil, err
	}
	defer layers.Close() // only read
	if layers[0] == nil && s.Image != b.Image.Digest {
		diff = append(diff, fmt.Sprintf("image: is %s, in the lock %s", s.Image, b.Image.Digest))
	}
	for i := range sources {
		if layers[i] == nil {
			continue
		}
		more, err := sources[i].check(layers[i], guests[i], s.EpochNS)
		if err != nil {
			return nil, err
		}
		diff = append(diff, more...)
	}
	return diff, nil
}

// check compares one source with its present layer.
func (s *Source) check(l image.Layer, guest string, epoch int64) ([]string, error) {
	if s.Guest != guest {
		return []string{fmt.Sprintf("input %s: in the lock at %s", guest, s.Guest)}, nil
	}
	if s.Read == nil {
		d, err := l.Digest()
		if err != nil || d == s.Digest {
			return nil, err
		}
		return []string{fmt.Sprintf("image: is %s, in the lock %s", d, s.Digest)}, nil
	}
	was, err := s.observations()
	if err != nil {
		return nil, err
	}
	// A name that held a secret cannot be looked up again.
	was = slices.DeleteFunc(was, func(o image.Observation) bool { return strings.Contains(o.Path+o.Text, "[secret ") })
	differences, err := image.Compare(l, epoch, was, most)
	if err != nil {
		return nil, err
	}
	var diff []string
	for _, d := range differences {
		diff = append(diff, image.EscapePath(path.Join(guest, d.Was.Path))+": "+d.String())
	}
	return diff, nil
}

// CheckOutputs says which outputs are not those of the lock.
func (b *Build) CheckOutputs(made []report.Output) []string {
	var diff []string
	old := make(map[string]report.Output, len(b.Outputs))
	for _, o := range b.Outputs {
		old[o.Path] = o
	}
	for _, m := range made {
		o, ok := old[m.Path]
		switch {
		case !ok:
			diff = append(diff, m.Path+": not in the lock")
		case o != m:
			diff = append(diff, fmt.Sprintf("%s: is %s, in the lock %s", m.Path, about(m), about(o)))
		}
		delete(old, m.Path)
	}
	for _, o := range b.Outputs {
		if _, left := old[o.Path]; left {
			diff = append(diff, o.Path+": was not made")
		}
	}
	return diff
}

func about(o report.Output) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %d bytes %s%s", o.Type, o.Mode, o.Size, o.Digest, o.Target))
}

// Read reads a lock.
func Read(r io.Reader) (*File, error) {
	b, err := io.ReadAll(io.LimitReader(r, 1<<30))
	if err != nil {
		return nil, err
	}
	var f File
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("not a lock: %w", err)
	}
	if f.Schema != Schema {
		return nil, hint.With(fmt.Errorf("lock of schema %d, this dettrace reads %d", f.Schema, Schema), "--update-lock makes it anew")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Builds)) {
		if f.Builds[name] == nil {
			return nil, fmt.Errorf("not a lock: build %s is null", name)
		}
	}
	return &f, nil
}

// Write writes a lock.
func (f *File) Write(w io.Writer) error {
	f.Schema = Schema
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(f)
}
