package probes

import "time"

// Varies says what makes the output of a probe differ without dettrace.
type Varies int

const (
	// Runs: two runs on one host differ.
	Runs Varies = iota
	// Perturbed: a run as another user, on another CPU, with other limits,
	// environment and so on differs from a plain one.
	Perturbed
	// Host: only another machine shows another value. The container must
	// not show this host's.
	Host
	// Answer: nothing differs on hosts of one kind, or it cannot be shown
	// here; the probe checks that the answer is right. Why says more.
	Answer
)

func (v Varies) String() string {
	return [...]string{"runs", "perturbed", "host", "answer"}[v]
}

// Probe is one row: a line of the catalogue and the program that proves it.
type Probe struct {
	Section string // of the catalogue
	Line    string // the source, in the catalogue's words
	Name    string // unique; names the probe in every report
	// Cmd is a shell command; {x} and {xs} are the dynamic and the static
	// probe executable, {go} the one in Go. Empty: "{x} NAME".
	Cmd    string
	Native string // command for native runs; "-" = none; empty = Cmd
	Varies Varies
	Why    string // the reason, where Varies alone does not say it
	Seeded bool
	// Refused: every output line "CALL ERRNO" must be an errno that
	// refuses, whatever it is natively.
	Refused bool
	MaxWall time.Duration // in the container; 0 = no limit of its own
	Needs   string        // program that must exist on the host
	Slow    bool          // only with Options.Slow
	// Gap is the reason why the host's hardware may not let the container
	// pass, and GapIf tells whether it is like that here.
	Gap   string
	GapIf func(Machine) bool
}
