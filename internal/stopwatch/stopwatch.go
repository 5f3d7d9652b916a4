// Package stopwatch measures where a run's time goes, for --timing. It is the
// only clock of the host in the core; nothing that the guest can see may depend
// on it.
package stopwatch

import "golang.org/x/sys/unix"

// Watch is a clock that costs nothing while it is off.
type Watch struct{ on bool }

// New makes a watch.
func New(on bool) Watch { return Watch{on} }

// On reports whether it measures.
func (w Watch) On() bool { return w.on }

// Now is a time in ns since some moment, 0 when off.
func (w Watch) Now() int64 {
	if !w.on {
		return 0
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// Span is how often something happened, and for how long in all.
type Span struct {
	Count uint64 `json:"count"`
	NS    int64  `json:"ns"`
}

// Add notes one more that took from start to end.
func (s *Span) Add(start, end int64) {
	s.Count++
	s.NS += end - start
}
