// Package report is what dettrace says about a run when it is over: the JSON
// file of --report, and the closing line on standard error.
//
// Everything in a Report is a function of the run's inputs, so that the
// reports of two runs are equal byte by byte, but for the member "host":
// whatever is measured on the host (and therefore differs) is there and
// nowhere else. Values of the host's environment are never in it.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"dettrace/internal/vary"
)

// SchemaVersion counts incompatible changes of the JSON.
const SchemaVersion = 1

// Report describes one run.
type Report struct {
	Schema  int      `json:"schema"` // set by Write
	Command []string `json:"command"`
	Exit    Exit     `json:"exit"`
	Image   Image    `json:"image"`
	Inputs  []Image  `json:"inputs"` // in order of mounting
	// Outputs are the files that were copied out, in order.
	Outputs []Output `json:"outputs"`
	Changes Changes  `json:"changes"`
	// Commit is the digest of the image that the run became.
	Commit string `json:"commit,omitempty"`
	// Settings are all that had an effect, defaults included.
	Settings Settings `json:"settings"`
	// LogicalTimeNS is how far the guest's clock advanced.
	LogicalTimeNS int64  `json:"logical_time_ns"`
	Events        uint64 `json:"events"`
	Stops         Stops  `json:"stops"`
	// Uncontrolled is what the guest tried and dettrace refused or could
	// not control. Empty is the good case.
	Uncontrolled []Refusal `json:"uncontrolled"`
	// DoorsUsed are the doors of Settings.Allow through which something came,
	// and "typed input" if a person typed into the guest's terminal; Pure says that there are none: the run is a function of its inputs.
	DoorsUsed []string `json:"doors_used"`
	Pure      bool     `json:"pure"` // set by Write
	// VisibleCPU is what of the host's CPU the guest could see, which a
	// portable result must not depend on; empty when cpuid is virtual.
	VisibleCPU []string `json:"visible_cpu"`
	// Varied are the sources that --vary opened, and how often they were used.
	Varied  []vary.Metered `json:"varied,omitempty"`
	Skipped []string       `json:"outputs_left_out"` // "PATH: why"
	Host    Host           `json:"host"`
}

// Exit is how the command ended.
type Exit struct {
	Status int    `json:"status"`           // as the shell sees it: 128+n for signal n
	Signal int    `json:"signal"`           // 0: none
	Error  string `json:"error"`            // dettrace's own, "" if none
	Reason string `json:"reason,omitempty"` // kind of Error: deadlock, timeout, uncontrolled
}

// Image is the image or an input.
type Image struct {
	Ref      string `json:"ref"`
	Guest    string `json:"guest"`
	Digest   string `json:"digest"` // of everything, or of everything observed
	Observed int    `json:"observed"`
	Portable bool   `json:"portable"`
	Note     string `json:"note,omitempty"`
}

// Output is one file, directory or symlink of an output. A byte of a name that
// is no UTF-8 is written as \xNN, and a backslash as two.
type Output struct {
	Path   string `json:"path"` // absolute, in the guest
	Type   string `json:"type"` // file, dir, symlink
	Mode   string `json:"mode"` // octal permission bits
	Size   int64  `json:"size"`
	Digest string `json:"digest,omitempty"` // sha256:... of a file's content
	Target string `json:"target,omitempty"` // of a symlink
}

// NotPortable is the note of the host image.
const NotPortable = "host image: not portable"

// Changes are the guest's changes to the tree.
type Changes struct {
	Count  int    `json:"count"`
	Digest string `json:"digest"`
}

// Settings are the effective settings.
type Settings struct {
	Epoch      string   `json:"epoch"` // RFC 3339 with ns
	Seed       uint64   `json:"seed,string"`
	Schedule   uint64   `json:"schedule_seed,string,omitempty"` // 0: the default order
	CPUs       int      `json:"cpus"`
	CPUModel   string   `json:"cpu_model"`
	Hostname   string   `json:"hostname"`
	User       string   `json:"user"`
	Workdir    string   `json:"workdir"`
	Env        []string `json:"env"` // in order; NAME alone for a value taken from the host
	Allow      []string `json:"allow"`
	Vary       string   `json:"vary,omitempty"`     // as --vary takes it
	Terminal   string   `json:"terminal,omitempty"` // its size, COLSxROWS
	MemoryMax  int64    `json:"memory_max"`         // bytes; 0 none
	PidsMax    int64    `json:"pids_max"`
	TimeoutSec float64  `json:"timeout_seconds"` // 0 none
}

// Stops counts syscalls that left the guest for the supervisor.
type Stops struct {
	Total  uint64  `json:"total"`
	Served uint64  `json:"served"` // further calls, answered inside the guest
	ByCall []Count `json:"by_call"`
}

// Count is how often a call stopped.
type Count struct {
	Call  string `json:"call"`
	Count uint64 `json:"count"`
}

// Refusal is one kind of use of something that is not controlled.
type Refusal struct {
	What  string `json:"what"`
	Errno string `json:"errno,omitempty"`
	Count int    `json:"count"`
	Where string `json:"where"` // the process that asked first
}

// Host is what was measured and differs between equal runs.
type Host struct {
	Kernel   string            `json:"kernel"`
	CPU      string            `json:"cpu"`
	IDMode   string            `json:"id_mode"`              // "all" or "single"
	Requests map[string]uint64 `json:"file_system_requests"` // encoding/json sorts the keys
	Profile  *Profile          `json:"profile,omitempty"`
	Cached   bool              `json:"cached,omitempty"` // a stored result was given again
}

// CountStops turns counts by call number into the sorted list: most frequent
// first, then by name. name gives the call's name.
func CountStops(byNumber []uint64, name func(int) string) Stops {
	s := Stops{ByCall: []Count{}}
	for nr, n := range byNumber {
		if n > 0 {
			s.Total += n
			s.ByCall = append(s.ByCall, Count{name(nr), n})
		}
	}
	slices.SortFunc(s.ByCall, func(a, b Count) int {
		if a.Count != b.Count {
			if a.Count > b.Count {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Call, b.Call)
	})
	return s
}

// RedactEnv is env without the values of names, which came from the host.
func RedactEnv(env, names []string) []string {
	out := make([]string, len(env))
	for i, kv := range env {
		out[i] = kv
		if name, _, _ := strings.Cut(kv, "="); slices.Contains(names, name) {
			out[i] = name
		}
	}
	return out
}

// FormatEpoch writes ns since 1970 as RFC 3339 in UTC.
func FormatEpoch(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// Write writes r as indented JSON. Lists without an order of their own are
// sorted, and an empty list is [] and never null.
func (r Report) Write(w io.Writer) error {
	r.Schema = SchemaVersion
	r.Uncontrolled = slices.Clone(r.Uncontrolled)
	slices.SortFunc(r.Uncontrolled, func(a, b Refusal) int { return strings.Compare(a.What+"\x00"+a.Errno, b.What+"\x00"+b.Errno) })
	r.DoorsUsed = slices.Compact(slices.Sorted(slices.Values(r.DoorsUsed)))
	r.Pure = len(r.DoorsUsed) == 0
	r.Settings.Allow = slices.Sorted(slices.Values(r.Settings.Allow))
	for _, list := range []*[]string{&r.Command, &r.Settings.Env, &r.Settings.Allow, &r.DoorsUsed, &r.VisibleCPU, &r.Skipped} {
		if *list == nil {
			*list = []string{}
		}
	}
	if r.Inputs == nil {
		r.Inputs = []Image{}
	}
	if r.Outputs == nil {
		r.Outputs = []Output{}
	}
	if r.Uncontrolled == nil {
		r.Uncontrolled = []Refusal{}
	}
	if r.Stops.ByCall == nil {
		r.Stops.ByCall = []Count{}
	}
	if r.Host.Requests == nil {
		r.Host.Requests = map[string]uint64{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
