// Package inputs is the list of everything a run read, as JSON lines: one line
// per path of the guest's tree that the run asked the image or an input for,
// with all it learned there. Two equal runs write the same bytes.
package inputs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"dettrace/internal/image"
)

// Layer is what was learned from one mount.
type Layer struct {
	Guest        string // where it is mounted
	Observations []image.Observation
}

// Line is one path. Bytes that are no UTF-8 are written as \xNN in paths and
// targets, and a backslash as two.
type Line struct {
	Path    string  `json:"path"`              // in the guest, absolute
	Layer   string  `json:"layer"`             // guest path of the image ("/") or input it comes from
	Missing bool    `json:"missing,omitempty"` // looked up, and not there
	Denied  bool    `json:"denied,omitempty"`  // looked up, and the host did not let us look
	Stat    string  `json:"stat,omitempty"`    // type, mode, owner, size
	Read    string  `json:"read,omitempty"`    // sha256:... of the content, if it was read
	List    string  `json:"list,omitempty"`    // sha256:... of the names, if the directory was listed
	Link    *string `json:"link,omitempty"`    // target, if the symlink was read
	Xattr   *string `json:"xattr,omitempty"`   // sha256:... of the extended attributes, if asked; "" for none
}

// Write writes the lists of all layers, one after the other.
func Write(w io.Writer, layers []Layer) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for _, l := range layers {
		for rest := l.Observations; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].Path == rest[0].Path {
				n++
			}
			if err := enc.Encode(lineOf(l.Guest, rest[:n])); err != nil {
				return err
			}
			rest = rest[n:]
		}
	}
	return b.Flush()
}

func lineOf(guest string, obs []image.Observation) Line {
	l := Line{Path: image.EscapePath(path.Join(guest, obs[0].Path)), Layer: image.EscapePath(guest)}
	for _, o := range obs {
		switch o.Kind {
		case image.Missing:
			l.Missing = true
		case image.Denied:
			l.Denied = true
		case image.Stat:
			l.Stat = o.Text
		case image.Read:
			l.Read = o.Digest
		case image.List:
			l.List = o.Digest
		case image.Link:
			text := image.EscapePath(o.Text)
			l.Link = &text
		case image.Attrs:
			l.Xattr = &o.Digest
		}
	}
	return l
}

// Parse reads what Write wrote.
func Parse(r io.Reader) ([]Line, error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var lines []Line
	for {
		var l Line
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list of inputs, line %d: %w", len(lines)+1, err)
		}
		lines = append(lines, l)
	}
}

// Digest is that of the layer mounted at guest as the report has it, computed
// from its lines.
func Digest(lines []Line, guest string) (string, error) {
	var obs []image.Observation
	for _, l := range lines {
		if l.Layer != image.EscapePath(guest) {
			continue
		}
		p, err := image.UnescapePath(l.Path)
		if err != nil {
			return "", err
		}
		if guest != "/" {
			below, ok := strings.CutPrefix(p, guest)
			if !ok {
				return "", fmt.Errorf("list of inputs: %s is not below %s", l.Path, guest)
			}
			if p = below; p == "" {
				p = "/"
			}
		}
		if err := l.each(func(kind, digest, text string) {
			obs = append(obs, image.Observation{Path: p, Kind: kind, Digest: digest, Text: text})
		}); err != nil {
			return "", err
		}
	}
	return image.ObservedDigest(obs), nil
}

// each gives the line's observations in order of their kinds.
func (l *Line) each(do func(kind, digest, text string)) error {
	if l.Denied {
		do(image.Denied, "", "")
	}
	if l.Link != nil {
		text, err := image.UnescapePath(*l.Link)
		if err != nil {
			return err
		}
		do(image.Link, "", text)
	}
	if l.List != "" {
		do(image.List, l.List, "")
	}
	if l.Missing {
		do(image.Missing, "", "")
	}
	if l.Read != "" {
		do(image.Read, l.Read, "")
	}
	if l.Stat != "" {
		do(image.Stat, "", l.Stat)
	}
	if l.Xattr != nil {
		do(image.Attrs, *l.Xattr, "")
	}
	return nil
}
