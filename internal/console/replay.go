package console

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"dettrace/internal/hint"
)

// ErrReplay says that a run is not the one that was recorded.
var ErrReplay = errors.New("the run is not the recorded one")

const replayAdvice = "image, inputs, command and settings must be those of the recorded run, and dettrace the same; compare two event logs (--log)"

// maxRecord bounds a record that is read, in bytes.
const maxRecord = 1 << 30

// Replay types what was recorded.
type Replay struct {
	Header Header
	End    End
	keys   []Keys
	next   int
}

// ReadReplay reads a record and checks that it is whole.
func ReadReplay(r io.Reader) (*Replay, error) {
	sc := bufio.NewScanner(io.LimitReader(r, maxRecord))
	sc.Buffer(nil, 64<<20)
	x := &Replay{}
	sum := sha256.New()
	n := 0
	ended := false
	for sc.Scan() {
		n++
		if ended {
			return nil, fmt.Errorf("line %d: more after the end", n)
		}
		var err error
		if n == 1 {
			err = x.header(sc.Bytes())
		} else {
			ended, err = x.line(sc.Bytes(), sum.Sum(nil))
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		sum.Write(sc.Bytes())
		sum.Write([]byte{'\n'})
	}
	switch {
	case sc.Err() != nil:
		return nil, fmt.Errorf("line %d: %w", n+1, sc.Err())
	case n == 0:
		return nil, errors.New("empty: not a record of typed input")
	case !ended:
		return nil, hint.With(fmt.Errorf("cut off after line %d: the record has no end", n), "the run that wrote it was killed, or the file was not copied whole")
	}
	return x, nil
}

func (x *Replay) header(b []byte) error {
	if err := strict(b, &x.Header); err != nil || x.Header.Format != format {
		return hint.With(errors.New("not a record of typed input"), "a file that --record wrote")
	}
	if x.Header.Version != version {
		return fmt.Errorf("version %d of the format: this dettrace knows %d", x.Header.Version, version)
	}
	return nil
}

func (x *Replay) line(b, sum []byte) (end bool, err error) {
	var l line
	if err := strict(b, &l); err != nil {
		return false, err
	}
	if l.End != nil {
		if l.Sum != hex.EncodeToString(sum) {
			return false, errors.New("the lines before it were changed: their digest is another")
		}
		x.End = *l.End
		return true, nil
	}
	k := Keys{Flush: l.Flush, Hangup: l.Hangup}
	if l.Place != nil {
		k.Place = *l.Place
	}
	if known := slices.Contains([]Kind{Idle, Event, Running}, k.Kind); known != (x.Header.Terminal != "") || k.NS < 0 {
		return false, fmt.Errorf("no such place: %q", k.Kind)
	}
	if l.Keys == nil && !l.Hangup {
		return false, errors.New("nothing is typed")
	}
	if l.Keys != nil {
		var ok bool
		if k.Bytes, ok = decode(*l.Keys); !ok {
			return false, errors.New("a character that is no byte")
		}
	}
	if n := len(x.keys); n > 0 && k.Event < x.keys[n-1].Event {
		return false, errors.New("an event before that of the line above")
	}
	x.keys = append(x.keys, k)
	return false, nil
}

// strict decodes one JSON value that has no unknown fields.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("not a line of a record: %w", err)
	}
	if d.More() {
		return errors.New("not a line of a record: more than one value")
	}
	return nil
}

// Fits reports why the record is not one of a run with this terminal ("" for
// none) and command.
func (x *Replay) Fits(terminal string, command []string) error {
	switch {
	case x.Header.Terminal != terminal && terminal == "":
		return hint.With(errors.New("recorded with a terminal"), "repeat it with --tty --tty-size "+x.Header.Terminal)
	case x.Header.Terminal != terminal && x.Header.Terminal == "":
		return hint.With(errors.New("recorded without a terminal"), "repeat it without --tty")
	case x.Header.Terminal != terminal:
		return hint.With(fmt.Errorf("recorded with a terminal of %s, not %s", x.Header.Terminal, terminal), "repeat it with --tty-size "+x.Header.Terminal)
	case !slices.Equal(x.Header.Command, command):
		return hint.With(errors.New("recorded of another command"), "it was: "+strings.Join(x.Header.Command, " "))
	}
	return nil
}

// Reader gives the input of a run without a terminal.
func (x *Replay) Reader() io.Reader {
	var all []io.Reader
	for _, k := range x.keys {
		all = append(all, bytes.NewReader(k.Bytes))
	}
	return io.MultiReader(all...)
}

// At implements Input.
func (x *Replay) At(p Place, q Question) (*Keys, error) {
	if x.next == len(x.keys) {
		if q.Last && x.End.Error != "" && p.Event == x.End.Events {
			return nil, fmt.Errorf("the record ends at %s: %s", p, x.End.Error)
		}
		return nil, nil
	}
	k := &x.keys[x.next]
	if k.Kind == p.Kind && k.Event == p.Event && k.Thread == p.Thread && (k.Kind != Idle || k.NS == p.NS) {
		x.next++
		return k, nil
	}
	if p.Event > k.Event || q.Last || p.Kind == Idle && k.Kind == Idle && p.Event == k.Event && p.NS > k.NS {
		return nil, hint.With(fmt.Errorf("%w: it is at %s, and something was typed at %s", ErrReplay, p, k.Place), replayAdvice)
	}
	return nil, nil
}

// Check compares how a replay ended with the record. A run that failed in
// dettrace itself says so by its own error.
func (x *Replay) Check(e End) error {
	if e.Error != "" {
		return nil
	}
	var differs []string
	for _, d := range []struct {
		what      string
		was, isis any
	}{
		{"exit status", x.End.Status, e.Status},
		{"events", x.End.Events, e.Events},
		{"logical ns", x.End.NS, e.NS},
		{"output", x.End.Output, e.Output},
	} {
		if d.was != d.isis {
			differs = append(differs, fmt.Sprintf("%s %v, recorded %v", d.what, d.isis, d.was))
		}
	}
	if left := len(x.keys) - x.next; left > 0 && x.Header.Terminal != "" {
		differs = append(differs, fmt.Sprintf("%d of %d inputs were not typed", left, len(x.keys)))
	}
	if len(differs) > 0 {
		return hint.With(fmt.Errorf("%w: %s", ErrReplay, strings.Join(differs, "; ")), replayAdvice)
	}
	return nil
}

// Start implements Input.
func (x *Replay) Start() error { return nil }

// Pending implements Input.
func (x *Replay) Pending() bool { return x.next < len(x.keys) }

// Budget implements Input: the event at which, or behind which, something is
// typed must stop.
func (x *Replay) Budget(events uint64, _ int) int {
	if x.next == len(x.keys) {
		return math.MaxInt
	}
	k := &x.keys[x.next]
	n := int64(k.Event) - int64(events)
	switch k.Kind {
	case Idle:
		return math.MaxInt
	case Running:
		n--
	}
	return int(max(n, 0))
}

// Bell implements Input.
func (x *Replay) Bell() int { return -1 }

// Urgent implements Input.
func (x *Replay) Urgent() bool { return false }

// Outside implements Input: the record is an input like others.
func (x *Replay) Outside() bool { return false }

// Close implements Input.
func (x *Replay) Close() error { return nil }
