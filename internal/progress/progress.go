// Package progress tells how far long work is: one line that is written again
// and again on a terminal, plain lines now and then, or JSON lines.
package progress

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Mode is how progress is told.
type Mode string

const (
	None  Mode = "none"
	Line  Mode = "line" // one line, on a terminal
	Plain Mode = "plain"
	JSON  Mode = "json"
)

// Sample is what is told at one moment. All figures are a host's: none decides
// anything.
type Sample interface {
	seconds() float64         // wall time since the work began
	since(last Sample) Sample // with what there is per second; last may be nil
	text() string             // for people
}

// State is a Sample of a run.
type State struct {
	Phase     string  `json:"phase"` // start, run, outputs, commit
	Processes int     `json:"processes"`
	LogicalNS int64   `json:"logical_time_ns"` // since the start of the run
	Stops     uint64  `json:"stops"`           // times that a thread was resumed
	PerSecond float64 `json:"stops_per_second"`
	Seconds   float64 `json:"wall_seconds"`
	// Of the image that the run becomes, in phase commit: what was taken in.
	Files int64 `json:"files,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

// patience is the wall time without a word after the start: short work says nothing.
const patience = time.Second

// every is the wall time between two updates.
func (m Mode) every() time.Duration {
	switch m {
	case Line:
		return 200 * time.Millisecond
	case JSON:
		return time.Second
	}
	return 10 * time.Second
}

// Printer writes progress to w. Its methods may be called from several
// goroutines.
type Printer struct {
	w     io.Writer
	mode  Mode
	width func() int // of the terminal, in columns

	mu    sync.Mutex
	shown bool // the line stands on the terminal
	mid   bool // the last thing that others wrote there was no whole line
	last  Sample
	done  bool
}

// New makes a Printer; width is asked in mode Line only.
func New(w io.Writer, mode Mode, width func() int) *Printer {
	return &Printer{w: w, mode: mode, width: width}
}

// Show tells s, of which what is per second is set here.
func (p *Printer) Show(s Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s = s.since(p.last)
	p.last = s
	if p.done || s.seconds() < patience.Seconds() {
		return
	}
	switch p.mode {
	case Line:
		if p.mid {
			return // do not break the line of somebody else
		}
		p.write("\r\x1b[K" + cut(s.text(), p.width()-1))
		p.shown = true
	case Plain:
		p.write("dettrace: " + s.text() + "\n")
	case JSON:
		b, err := json.Marshal(s)
		if err == nil {
			p.write(string(b) + "\n")
		}
	}
}

// Follow shows what sample says after so many seconds, again and again, until
// stop is called. Sample may be called from another goroutine.
func (p *Printer) Follow(sample func(seconds float64) Sample) (stop func()) {
	began := time.Now()
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		t := time.NewTicker(p.mode.every())
		defer t.Stop()
		for {
			select {
			case <-done:
				p.Done()
				return
			case <-t.C:
				p.Show(sample(time.Since(began).Seconds()))
			}
		}
	}()
	return func() {
		close(done)
		<-gone
	}
}

// Done takes the line away; nothing is told after it.
func (p *Printer) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.done = true
}

func (p *Printer) clear() {
	if p.shown {
		p.write("\r\x1b[K")
		p.shown = false
	}
}

// write cannot do anything about a closed standard error.
func (p *Printer) write(s string) { _, _ = io.WriteString(p.w, s) }

// Beside wraps a writer to the same terminal, so that what goes there does not
// mix with the line. Errors are w's.
func (p *Printer) Beside(w io.Writer) io.Writer {
	if p.mode != Line || w == nil {
		return w
	}
	return &neighbour{p, w}
}

type neighbour struct {
	p *Printer
	w io.Writer
}

func (n *neighbour) Write(b []byte) (int, error) {
	n.p.mu.Lock()
	defer n.p.mu.Unlock()
	n.p.clear()
	if len(b) > 0 {
		n.p.mid = b[len(b)-1] != '\n'
	}
	return n.w.Write(b)
}

func cut(s string, n int) string { return s[:min(len(s), max(n, 0))] }
