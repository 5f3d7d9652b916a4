package initproc

import (
	"cmp"
	"encoding/binary"
	"math"
)

// Script is what the program does before it forks pid 2: system calls, one
// after the other, without a decision that a number cannot make. A process of
// ours that did the same would have to start a Go runtime first, which costs
// more than all the calls.
//
// The memory that calls work on is part of the program: String, Bytes and Space
// give addresses in it.
type Script struct {
	mem   []byte
	steps []Step
}

// Step is one call. The first that fails ends the program, which tells which
// one it was (StepError).
type Step struct {
	NR   uintptr
	Args [6]uint64
	// From says which of the first two arguments are addresses of the value (bit 0, 1).
	From   uint64
	Save   uint64    // where the result goes (8 bytes), or 0
	Allow  [4]uint16 // errnos that are no failure
	Then   int       // how many of the next steps are left out after success
	Skip   int       // how many of the next steps are left out after such an errno
	Unless uint64    // the address of a value: if it is negative, the step is left out; or 0
	Some   bool      // a result of 0 is a failure, too: the end of a file
	Ignore bool      // every result will do
}

// stepSize is that of a step in memory; its fields are in init_amd64.s.
const stepSize = 112

// The script's memory begins with a value that is never negative, for steps
// that are always made, and a place for results that nobody wants.
const (
	always  = scriptBase
	nowhere = scriptBase + 8
)

// What a container takes, so that memory need not grow.
const (
	usualMem   = 20 << 10
	usualSteps = 320
)

// Len is the number of steps.
func (s *Script) Len() int { return len(s.steps) }

// Add appends a step, which the caller may change until the next one is added.
func (s *Script) Add(p Step) *Step {
	if s.steps == nil {
		s.steps = make([]Step, 0, usualSteps)
	}
	s.steps = append(s.steps, p)
	return &s.steps[len(s.steps)-1]
}

// String places text and a final NUL.
func (s *Script) String(text string) uint64 { return s.Bytes(append([]byte(text), 0)) }

// Bytes places b at an address that is divisible by 8.
func (s *Script) Bytes(b []byte) uint64 {
	at := s.Space(len(b))
	s.Put(at, b)
	return at
}

// Words places numbers.
func (s *Script) Words(list ...uint64) uint64 {
	b := make([]byte, 0, 8*len(list))
	for _, v := range list {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return s.Bytes(b)
}

// Put changes what is at an address that was given before.
func (s *Script) Put(at uint64, b []byte) { copy(s.mem[at-scriptBase:], b) }

// Space places n zero bytes.
func (s *Script) Space(n int) uint64 {
	if len(s.mem) == 0 {
		s.mem = make([]byte, nowhere+8-scriptBase, usualMem)
	}
	at := len(s.mem)
	s.mem = append(s.mem, make([]byte, roundUp(uint64(n), 8))...)
	return scriptBase + uint64(at)
}

// Buffer is memory for what no step looks at, of up to 64 KiB.
const Buffer = dataBase - 64<<10

// first and end are where the steps are in memory: behind all else.
func (s *Script) first() uint64 {
	if s == nil || len(s.steps) == 0 {
		return scriptBase
	}
	s.Space(0)
	return scriptBase + uint64(len(s.mem))
}

func (s *Script) end() uint64 {
	if s == nil {
		return scriptBase
	}
	return s.first() + uint64(len(s.steps)*stepSize)
}

// encode lays memory and steps out. It is never empty, as a segment must not be.
func (s *Script) encode() []byte {
	if s == nil || len(s.steps) == 0 {
		return make([]byte, 16)
	}
	s.Space(0)
	b := append(make([]byte, 0, len(s.mem)+len(s.steps)*stepSize), s.mem...)
	le := binary.LittleEndian
	for _, p := range s.steps {
		b = le.AppendUint64(b, uint64(p.NR))
		for _, a := range p.Args {
			b = le.AppendUint64(b, a)
		}
		least := int64(0)
		switch {
		case p.Ignore:
			least = math.MinInt64
		case p.Some:
			least = 1
		}
		allow := uint64(0)
		for i := len(p.Allow) - 1; i >= 0; i-- {
			allow = allow<<16 | uint64(p.Allow[i])
		}
		for _, v := range []uint64{p.From, cmp.Or(p.Save, nowhere), allow, uint64(p.Skip * stepSize), cmp.Or(p.Unless, always), uint64(least), uint64(p.Then * stepSize)} {
			b = le.AppendUint64(b, v)
		}
	}
	return b
}
