package progress

import (
	"fmt"
	"strings"

	"dettrace/internal/report"
)

func (s State) seconds() float64 { return s.Seconds }

func (s State) since(last Sample) Sample {
	l, _ := last.(State)
	if d := s.Seconds - l.Seconds; d > 0 && s.Stops >= l.Stops {
		s.PerSecond = float64(s.Stops-l.Stops) / d
	}
	return s
}

func (s State) text() string {
	parts := []string{s.Phase}
	if s.Files > 0 {
		return fmt.Sprintf("%s, %s, %s, %.0f s", s.Phase, report.Plural(int(s.Files), "file"), report.Bytes(s.Bytes), s.Seconds)
	}
	if s.Processes == 1 {
		parts = append(parts, "1 process")
	} else if s.Processes > 1 {
		parts = append(parts, fmt.Sprintf("%d processes", s.Processes))
	}
	if s.Stops > 0 {
		parts = append(parts, fmt.Sprintf("logical time %.3f s", float64(s.LogicalNS)/1e9), fmt.Sprintf("%.0f stops/s", s.PerSecond))
	}
	return strings.Join(append(parts, fmt.Sprintf("%.0f s", s.Seconds)), ", ")
}

// Runs is a Sample of a command that makes many runs.
type Runs struct {
	Run     int64   `json:"run"`          // begun so far
	Of      int64   `json:"of,omitempty"` // 0: nobody knows
	Seconds float64 `json:"wall_seconds"`
}

func (s Runs) seconds() float64 { return s.Seconds }

func (s Runs) since(Sample) Sample { return s }

func (s Runs) text() string {
	if s.Of < s.Run { // a difference is looked at in further runs
		return fmt.Sprintf("run %d, %.0f s", s.Run, s.Seconds)
	}
	return fmt.Sprintf("run %d of %d, %.0f s", s.Run, s.Of, s.Seconds)
}

// Taken is a Sample of an image that is taken in.
type Taken struct {
	Image     string  `json:"image"`
	Files     int64   `json:"files"`
	Bytes     int64   `json:"bytes"`
	PerSecond float64 `json:"bytes_per_second"`
	Seconds   float64 `json:"wall_seconds"`
}

func (s Taken) seconds() float64 { return s.Seconds }

func (s Taken) since(last Sample) Sample {
	l, _ := last.(Taken)
	if d := s.Seconds - l.Seconds; d > 0 {
		s.PerSecond = float64(s.Bytes-l.Bytes) / d
	}
	return s
}

func (s Taken) text() string {
	return fmt.Sprintf("%s: %s, %s, %s/s, %.0f s", s.Image, report.Plural(int(s.Files), "file"), report.Bytes(s.Bytes), report.Bytes(int64(s.PerSecond)), s.Seconds)
}
