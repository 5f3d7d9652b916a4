// Package vary opens the sources of nondeterminism of a run by name, each as a
// function of a seed: the run stays a pure function of its inputs, of which the
// choice of sources is one.
//
// A source is settable at the start (the host name), or has events (a read of
// the clock, a draw of random bytes), which are counted from 0 in the order in
// which they happen, and of which only some may be varied, so that a bisection
// finds those that matter. Names are reprotest's where it has one.
package vary

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dettrace/internal/hint"
)

// The sources.
const (
	Time        = "time"
	ClockRate   = "clock_rate"
	Random      = "random"
	ASLR        = "aslr"
	Uninit      = "uninit"
	PID         = "pid"
	Inode       = "inode"
	FileOrder   = "fileordering"
	Schedule    = "schedule"
	CPUs        = "num_cpus"
	CPUModel    = "cpu_model"
	Host        = "domain_host"
	User        = "user_group"
	Home        = "home"
	Locales     = "locales"
	Timezone    = "timezone"
	Umask       = "umask"
	Environment = "environment"
	ExecPath    = "exec_path"
	BuildPath   = "build_path"
	Kernel      = "kernel"
	Memory      = "memory"
	Disk        = "disk"
	Terminal    = "terminal"
	InputTimes  = "input_times"
)

// Source describes one source.
type Source struct {
	Name  string
	What  string // what is another value
	Event string // what its events are, "" if it has none
}

// Sources lists all, in the order in which they are tried and shown.
func Sources() []Source {
	return []Source{
		{Time, "the clock starts one to four years later", "read of the real-time clock"},
		{ClockRate, "every event takes 2 to 60 times as long", "read of any clock"},
		{Random, "all random bytes", "draw of random bytes"},
		{ASLR, "addresses of program, heap, stack and mappings", "program start"},
		{Uninit, "what is below the stack of a program that starts", "program start"},
		{PID, "numbers of processes and threads", "process or thread start"},
		{Inode, "inode numbers", "file made by the run; 0: all files of image and inputs"},
		{FileOrder, "order in which directories are listed", "listing of a directory"},
		{Schedule, "order of threads and processes", "change of turn"},
		{CPUs, "number of CPUs", ""},
		{CPUModel, "features of the CPU that are shown", ""},
		{Host, "host name and domain", ""},
		{User, "user and group: names and, where several ids are mapped, numbers", ""},
		{Home, "home directory", ""},
		{Locales, "LANG, LC_ALL, LANGUAGE", ""},
		{Timezone, "TZ, a zone in which it is another day when the clock starts", ""},
		{Umask, "umask", ""},
		{Environment, "a variable more", ""},
		{ExecPath, "a directory more in PATH", ""},
		{BuildPath, "the directory /build", ""},
		{Kernel, "release and version of the kernel", ""},
		{Memory, "size of the memory", ""},
		{Disk, "size of the disk", ""},
		{Terminal, "TERM, COLUMNS, LINES", ""},
		{InputTimes, "times of the files of inputs, all by the same", ""},
	}
}

// Names are the names of all sources.
func Names() (out []string) {
	for _, s := range Sources() {
		out = append(out, s.Name)
	}
	return out
}

// HasEvents reports whether a source has events.
func HasEvents(name string) bool {
	return slices.ContainsFunc(Sources(), func(s Source) bool { return s.Name == name && s.Event != "" })
}

// Range are the events from From up to but without To.
type Range struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// End is the To of a range without end.
const End = ^uint64(0)

// Choice varies one source.
type Choice struct {
	Source string `json:"source"`
	Seed   uint64 `json:"seed,string"`
	// Ranges are the events that are varied, ascending; nil: all of it, also what is
	// no event; empty: none, they are only counted.
	Ranges []Range `json:"ranges,omitzero"`
}

// Plan are the choices of a run, at most one for a source, in the order of Sources.
type Plan []Choice

// Of is the choice of a source, nil if it is not varied.
func (p Plan) Of(source string) *Choice {
	for i := range p {
		if p[i].Source == source {
			return &p[i]
		}
	}
	return nil
}

// Hits reports whether event i is varied.
func (c *Choice) Hits(i uint64) bool {
	if c == nil {
		return false
	}
	return c.Ranges == nil || slices.ContainsFunc(c.Ranges, func(r Range) bool { return r.From <= i && i < r.To })
}

// Whole reports that all of the source is varied.
func (c *Choice) Whole() bool { return c != nil && c.Ranges == nil }

// Value is a number of 64 random bits: a function of seed, source and index.
func (c *Choice) Value(index uint64) uint64 {
	key := c.Key(index)
	return binary.LittleEndian.Uint64(key[:])
}

// Key is Value with 256 bits.
func (c *Choice) Key(index uint64) [32]byte {
	b := append([]byte("dettrace vary\x00"+c.Source+"\x00"), make([]byte, 16)...)
	binary.LittleEndian.PutUint64(b[len(b)-16:], c.Seed)
	binary.LittleEndian.PutUint64(b[len(b)-8:], index)
	return sha256.Sum256(b)
}

// Parse reads a list as reprotest's --vary: names with commas between, + or nothing in front
// to vary it, - not to; "all" are all, "none" is none. A name may end with "@SEED"
// and with events "[FROM:TO;FROM:TO]"; an empty TO is the end, and "[]" no event at all.
// The last word on a source counts.
func Parse(list string, seed uint64) (Plan, error) {
	chosen := map[string]*Choice{}
	for _, word := range strings.Split(list, ",") {
		word = strings.TrimSpace(word)
		off := strings.HasPrefix(word, "-")
		name, c, err := parseWord(strings.TrimLeft(word, "+-"), seed)
		if err != nil {
			return nil, fmt.Errorf("--vary %s: %w", word, err)
		}
		names := []string{name}
		switch name {
		case "none":
			clear(chosen)
			continue
		case "all":
			names = Names()
		}
		if off && (c.Ranges != nil || c.Seed != seed) {
			return nil, fmt.Errorf("--vary %s: a source that is not varied has neither seed nor events", word)
		}
		for _, n := range names {
			if off {
				delete(chosen, n)
				continue
			}
			x := c
			x.Source = n
			chosen[n] = &x
		}
	}
	plan := Plan{}
	for _, n := range Names() {
		if c := chosen[n]; c != nil {
			plan = append(plan, *c)
		}
	}
	return plan, nil
}

func parseWord(word string, seed uint64) (string, Choice, error) {
	c := Choice{Seed: seed}
	if head, rest, ok := strings.Cut(word, "["); ok {
		body, ok := strings.CutSuffix(rest, "]")
		if !ok {
			return "", c, errors.New("no ] at its end")
		}
		c.Ranges = []Range{}
		for _, r := range strings.Split(body, ";") {
			if body == "" {
				break
			}
			from, to, ok := strings.Cut(r, ":")
			x := Range{To: End}
			var err error
			if x.From, err = strconv.ParseUint(from, 10, 64); err == nil && to != "" {
				x.To, err = strconv.ParseUint(to, 10, 64)
			}
			if err != nil || !ok {
				return "", c, fmt.Errorf("events %q are not FROM:TO", r)
			}
			c.Ranges = append(c.Ranges, x)
		}
		word = head
	}
	if head, s, ok := strings.Cut(word, "@"); ok {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return "", c, fmt.Errorf("seed %q is not a number", s)
		}
		c.Seed, word = v, head
	}
	name := strings.ReplaceAll(word, "-", "_")
	if name != "all" && name != "none" && !slices.Contains(Names(), name) {
		advice := "the sources are: all, " + strings.Join(Names(), ", ")
		if near := hint.Nearest(name, Names()); near != "" {
			advice = "did you mean " + near + "?"
		}
		return "", c, hint.With(fmt.Errorf("no such source %q", word), advice)
	}
	if c.Ranges != nil && !HasEvents(name) {
		return "", c, errors.New("it has no events")
	}
	return name, c, nil
}

// String is the list that Parse reads.
func (p Plan) String() string {
	if len(p) == 0 {
		return "none"
	}
	var out []string
	for _, c := range p {
		s := c.Source + "@" + strconv.FormatUint(c.Seed, 10)
		if c.Ranges != nil {
			var rs []string
			for _, r := range c.Ranges {
				to := ""
				if r.To != End {
					to = strconv.FormatUint(r.To, 10)
				}
				rs = append(rs, strconv.FormatUint(r.From, 10)+":"+to)
			}
			s += "[" + strings.Join(rs, ";") + "]"
		}
		out = append(out, s)
	}
	return strings.Join(out, ",")
}

// maxUses is how many varied events a meter remembers.
const maxUses = 16

// Use is one event that was varied.
type Use struct {
	N      uint64 `json:"n"`
	TimeNS int64  `json:"time_ns"` // logical, since the start of the run
	PID    int    `json:"pid,omitempty"`
	What   string `json:"what"`
}

// Meter counts the events of a source. A nil Meter counts nothing.
type Meter struct {
	c    *Choice
	n    uint64
	uses []Use
}

// Meter makes the meter of a source; nil if it is not varied.
func (p Plan) Meter(source string) *Meter {
	if c := p.Of(source); c != nil {
		return &Meter{c: c}
	}
	return nil
}

// Next counts an event, and reports whether it is varied and by which choice and index.
func (m *Meter) Next(timeNS int64, pid int, what string) (c *Choice, i uint64, hit bool) {
	if m == nil {
		return nil, 0, false
	}
	i = m.n
	m.n++
	if !m.c.Hits(i) {
		return m.c, i, false
	}
	if len(m.uses) < maxUses {
		m.uses = append(m.uses, Use{i, timeNS, pid, what})
	}
	return m.c, i, true
}

// Metered is what a meter has counted.
type Metered struct {
	Source string `json:"source"`
	Seed   uint64 `json:"seed,string"`
	Events uint64 `json:"events"`
	Uses   []Use  `json:"uses,omitempty"` // of those varied, the first
}

// Report is what has been counted; ok is false for a nil Meter.
func (m *Meter) Report() (Metered, bool) {
	if m == nil {
		return Metered{}, false
	}
	return Metered{m.c.Source, m.c.Seed, m.n, m.uses}, true
}
