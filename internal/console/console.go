// Package console is what stands on the host's side of a guest's terminal: who
// types, where in the run, and how typed input is kept and repeated.
//
// A run with a terminal is a function of its inputs only if what is typed comes
// at places that the run itself defines. So input is never passed on when it
// arrives, but at a Place: a number of events, or a moment at which all threads
// wait. Three Inputs decide what is typed there:
//
//   - Script types a stream of bytes whenever the guest waits for its terminal:
//     a pure function of the bytes;
//   - Live types what a person types. At which place it came is not a function
//     of anything, so a run that it typed into is not pure;
//   - Replay types what a Recorder kept, at the same places, and complains when
//     the run does not come by one of them.
//
// The virtual kernel asks and types; it knows nothing of hosts and files.
package console

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Size is that of a terminal, in characters.
type Size struct{ Cols, Rows uint16 }

// DefaultSize is the size of a terminal that nobody gave another one.
func DefaultSize() Size { return Size{Cols: 80, Rows: 24} }

func (s Size) String() string { return fmt.Sprintf("%dx%d", s.Cols, s.Rows) }

// ParseSize reads COLSxROWS, both from 1 to 9999.
func ParseSize(text string) (Size, error) {
	var n [2]uint16
	parts := strings.Split(text, "x")
	if len(parts) != len(n) {
		return Size{}, fmt.Errorf("%q is not COLSxROWS", text)
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 16)
		if err != nil || v < 1 || v > 9999 {
			return Size{}, fmt.Errorf("%q is not COLSxROWS, with numbers from 1 to 9999", text)
		}
		n[i] = uint16(v)
	}
	return Size{n[0], n[1]}, nil
}

// Kind says what the guest does at a Place.
type Kind string

// The kinds of places.
const (
	Idle    Kind = "idle"    // all threads wait
	Event   Kind = "event"   // a thread begins an event
	Running Kind = "running" // a thread computes after an event
)

// Place is where in a run something is typed.
type Place struct {
	Kind   Kind   `json:"at"`
	Event  uint64 `json:"event"`            // events before it
	NS     int64  `json:"ns"`               // logical time since the start
	Thread int    `json:"thread,omitempty"` // Running: which, as the guest numbers it
}

func (p Place) String() string {
	return fmt.Sprintf("event %d, logical time %d.%09d s (%s)", p.Event, p.NS/1e9, p.NS%1e9, p.Kind)
}

// Keys is what is typed at a place.
type Keys struct {
	Place
	Bytes  []byte
	Flush  bool // input that nobody has read is discarded before
	Hangup bool // nothing is typed: the terminal is hung up
}

// State is that of the guest's terminal.
type State struct {
	Mode   unix.Termios
	Unread bool // somebody could read at once
}

// Question is what an Input may know when it decides.
type Question struct {
	Wanted bool // a thread waits for a terminal
	Asks   int  // how often input was looked for, without waiting, since something was typed
	Last   bool // Idle, and nothing else can happen any more
	Nudged bool // Running, and the thread has been so for a while
	Caught bool // Running, and a handler may see at which instruction a signal comes
	Look   func() State
}

// ManyAsks is the number of Question.Asks after which a thread that never waits
// is given what it looks for.
const ManyAsks = 1000

// Input decides what is typed. All methods but Close and Urgent are for one goroutine.
type Input interface {
	// Start is called before the guest runs.
	Start() error
	// At gives what is typed at p, nil for nothing. An error ends the run.
	At(p Place, q Question) (*Keys, error)
	// Pending reports, fast, whether At may give something at an Event.
	Pending() bool
	// Budget is how many events may follow the first ones without a question, as long
	// as input is looked for no more than asks times.
	Budget(events uint64, asks int) int
	// Bell is a descriptor that is readable when there is news since the last
	// At; -1 if there never is.
	Bell() int
	// Urgent reports that something should be typed also at a Running place.
	Urgent() bool
	// Outside reports that what is typed is not a function of the run's inputs.
	Outside() bool
	Close() error
}

// Terminal is what a run with a terminal needs.
type Terminal struct {
	Size   Size
	Input  Input
	Record *Recorder // or nil
	Out    io.Writer
	Sum    Sum // of what the guest wrote
}

// Write passes what the guest wrote on.
func (t *Terminal) Write(p []byte) (int, error) {
	t.Sum.add(p)
	if t.Out == nil {
		return len(p), nil
	}
	return t.Out.Write(p)
}
