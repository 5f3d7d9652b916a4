// Package redact keeps secrets out of what dettrace writes: logs, reports,
// traces, messages. A secret is found as it is and as the formats in use write
// it: quoted as in Go, escaped as in JSON and as in lists of paths, as a word of a shell's
// command line, as HTML and XML text, and each longer line of one with several. What was cut or encoded otherwise is not
// found; dettrace itself does neither with a value it was given.
package redact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"slices"
	"strconv"
	"strings"

	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/rerun"
)

// Least is the length in bytes below which a value cannot be a secret: to take
// it out would spoil everything else.
const Least = 6

// Mask knows the secrets. A nil *Mask knows none.
type Mask struct {
	forms  []form // the longest first
	longer int    // most bytes of a form
}

type form struct{ from, to []byte }

// New makes a Mask of NAME=VALUE pairs, nil for none.
func New(pairs []string) *Mask {
	m := &Mask{}
	for _, kv := range pairs {
		name, value, _ := strings.Cut(kv, "=")
		m.add(name, value)
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= Least {
				m.add(name, line)
			}
		}
	}
	if len(m.forms) == 0 {
		return nil
	}
	slices.SortStableFunc(m.forms, func(a, b form) int { return cmp.Compare(len(b.from), len(a.from)) })
	m.longer = len(m.forms[0].from)
	return m
}

func (m *Mask) add(name, value string) {
	if value == "" {
		return
	}
	unquote := func(s string) string { return s[1 : len(s)-1] }
	escaped := image.EscapePath(value)
	word := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(rerun.Quote([]string{value}), "$"), "'"), "'")
	plain := []string{value, escaped, word, unquote(strconv.Quote(value)), unquote(strconv.Quote(escaped)), unquote(strconv.Quote(word))}
	var inXML bytes.Buffer
	_ = xml.EscapeText(&inXML, []byte(value)) // a buffer takes everything
	forms := append(slices.Clone(plain), inXML.String(), html.EscapeString(value), strings.ReplaceAll(html.EscapeString(value), "+", "&#43;"))
	for _, p := range plain {
		for _, escape := range []bool{false, true} {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(escape)
			_ = enc.Encode(p) // a string always encodes
			forms = append(forms, unquote(strings.TrimSuffix(b.String(), "\n")))
		}
	}
	for _, f := range forms {
		if !slices.ContainsFunc(m.forms, func(have form) bool { return string(have.from) == f }) {
			m.forms = append(m.forms, form{[]byte(f), []byte("[secret " + name + "]")})
		}
	}
}

// Has reports whether b holds a secret.
func (m *Mask) Has(b []byte) bool {
	if m == nil {
		return false
	}
	return slices.ContainsFunc(m.forms, func(f form) bool { return bytes.Contains(b, f.from) })
}

// Text is s without secrets.
func (m *Mask) Text(s string) string {
	if m == nil {
		return s
	}
	for _, f := range m.forms {
		s = strings.ReplaceAll(s, string(f.from), string(f.to))
	}
	return s
}

// Writer passes on what is written to it, without secrets. Flush it at the end.
type Writer struct {
	m    *Mask
	w    io.Writer
	held []byte // may be the beginning of a secret
	line bool
}

// Writer makes one in front of w. With messages, every write is complete in
// itself and passed on at once.
func (m *Mask) Writer(w io.Writer, messages bool) *Writer { return &Writer{m: m, w: w, line: messages} }

func (w *Writer) Write(p []byte) (int, error) {
	w.held = append(w.held, p...)
	keep := 0
	if w.m != nil && !w.line {
		keep = w.m.longer - 1
	}
	if err := w.emit(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is held back.
func (w *Writer) Flush() error { return w.emit(0) }

// emit writes all but the last keep bytes.
func (w *Writer) emit(keep int) error {
	var out []byte
	for {
		i, f := w.m.find(w.held)
		if f == nil || len(w.held)-i <= keep {
			break // or a longer form may begin there
		}
		out = append(append(out, w.held[:i]...), f.to...)
		w.held = w.held[i+len(f.from):]
	}
	if n := len(w.held) - keep; n > 0 {
		out = append(out, w.held[:n]...)
		w.held = append([]byte(nil), w.held[n:]...)
	}
	if len(out) == 0 {
		return nil
	}
	_, err := w.w.Write(out)
	return err
}

// find gives the first form in b, of several at one place the longest.
func (m *Mask) find(b []byte) (at int, found *form) {
	if m == nil {
		return 0, nil
	}
	for i := range m.forms {
		f := &m.forms[i]
		if k := bytes.Index(b, f.from); k >= 0 && (found == nil || k < at) {
			at, found = k, f
		}
	}
	return at, found
}

// Error is err with text and hint without secrets; what it is stays visible to
// errors.Is and errors.As.
func (m *Mask) Error(err error) error {
	if err == nil || m == nil {
		return err
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, one := range joined.Unwrap() {
			list = append(list, m.Error(one))
		}
		return errors.Join(list...)
	}
	clean := error(&hiddenError{m.Text(err.Error()), err})
	if advice := hint.Of(err); advice != "" {
		clean = hint.With(clean, m.Text(advice))
	}
	return clean
}

type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string        { return e.text }
func (e *hiddenError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *hiddenError) As(target any) bool   { return errors.As(e.err, target) }
