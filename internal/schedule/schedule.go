// Package schedule is the file in which a schedule is kept: what a Policy
// (package sched) decided in a run, for machines to repeat it and for people
// to read it. Like an event log it holds no value of the host.
package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"dettrace/internal/sched"
)

// Version counts incompatible changes of the file.
const Version = 1

// File is a schedule. Replaying Decisions alone gives the same run: the seed
// says where they came from.
type File struct {
	Schema    int              `json:"schema"` // set by Write
	Seed      uint64           `json:"seed,string"`
	Decisions []sched.Decision `json:"decisions"`
	// Switches describe the first of the decisions that changed the turn.
	Switches []Switch `json:"switches"`
}

// Switch describes for people a change of turn that a Policy decided.
type Switch struct {
	Decision sched.Decision `json:"decision"`
	At       int64          `json:"at_ns"`   // logical, since the start
	From     string         `json:"from"`    // the thread whose turn ended
	Where    string         `json:"where"`   // its call, or place in user code
	To       string         `json:"to"`      // the thread that was chosen
	Resumes  string         `json:"resumes"` // the last call of that one
}

func (s Switch) String() string {
	return fmt.Sprintf("%s at %s gives way to %s, last at %s", s.From, s.Where, s.To, s.Resumes)
}

// Write writes f as indented JSON.
func (f File) Write(w io.Writer) error {
	f.Schema = Version
	if f.Decisions == nil {
		f.Decisions = []sched.Decision{}
	}
	if f.Switches == nil {
		f.Switches = []Switch{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	return nil
}

// ErrFormat means that a file is no schedule.
var ErrFormat = errors.New("not a schedule")

// Read reads what Write wrote. Decisions that make no sense are an error: a
// schedule that is not the one that was kept must not pass for it.
func Read(r io.Reader) (File, error) {
	var f File
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if f.Schema != Version {
		return f, fmt.Errorf("%w: schema %d, not %d", ErrFormat, f.Schema, Version)
	}
	for i, d := range f.Decisions {
		if d.Thread < -1 || d.End < 0 || d.Next < 0 || d.Plan != nil && !d.Plan.Valid() {
			return f, fmt.Errorf("%w: decision %d", ErrFormat, i)
		}
	}
	return f, nil
}
