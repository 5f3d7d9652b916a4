package kernel

import (
	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/stopwatch"
)

// reason is why a thread stopped.
type reason uint8

const (
	byEntry  reason = iota // seccomp: a call begins
	byExit                 // a call ends
	byBirth                // fork, vfork, clone
	byExec                 // a new image
	byTrap                 // an instruction that the supervisor answers
	bySignal               // any other signal
	byState                // group stops and the like
	byDeath
	reasons
)

// reasonOf is why a thread stopped with st.
func reasonOf(st ptrace.Status) reason {
	switch st.Event() {
	case unix.PTRACE_EVENT_SECCOMP:
		return byEntry
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		return byBirth
	case unix.PTRACE_EVENT_EXEC:
		return byExec
	case unix.PTRACE_EVENT_STOP:
		return byState
	}
	if st.SyscallStop() {
		return byExit
	}
	return bySignal
}

// profile adds up the time of a run: between stops, and at stops by reason. What
// happens between two turns belongs to the stop that ended the first.
type profile struct {
	watch   stopwatch.Watch
	guest   stopwatch.Span
	by      [reasons]stopwatch.Span
	calls   [2][]stopwatch.Span // byEntry and byExit by number
	current *Task
	why     reason
	call    int   // of a stop that is not the call's, else -1; see frees
	left    int64 // when the guest was let go
	arrived int64 // when it stopped; 0: it did not yet
}

// leave is called when a thread goes on.
func (p *profile) leave() {
	if !p.watch.On() {
		return
	}
	p.left = p.watch.Now()
	if p.arrived == 0 {
		return
	}
	p.by[p.why].Add(p.arrived, p.left)
	nr := p.current.callNr
	if p.call >= 0 {
		nr = p.call
	}
	if p.why <= byExit && nr >= 0 && nr < len(p.calls[p.why]) {
		p.calls[p.why][nr].Add(p.arrived, p.left)
	}
}

// arrive is called when t has stopped.
func (p *profile) arrive(t *Task, st ptrace.Status) {
	if !p.watch.On() {
		return
	}
	p.arrived = p.watch.Now()
	p.guest.Add(p.left, p.arrived)
	p.current, p.why, p.call = t, byDeath, -1
	if !st.Dead() {
		p.why = reasonOf(st)
	}
}

// Profile is where the time of a run went.
type Profile struct {
	// Guest is what lies between stops: the guest's work, its system calls, the
	// file system's, and the switches.
	Guest stopwatch.Span
	Stops []ProfileStop // the supervisor's
}

// ProfileStop is the stops of one kind. Call is a number for Reason "entry" and
// "exit", else -1.
type ProfileStop struct {
	Reason string
	Call   int
	stopwatch.Span
}

// Profile reports what was measured, if Config.Profile was set.
func (k *Kernel) Profile() Profile {
	names := [reasons]string{"entry", "exit", "birth", "exec", "instruction", "signal", "state", "death"}
	p := Profile{Guest: k.prof.guest}
	for why, calls := range k.prof.calls {
		for nr, s := range calls {
			if s.Count > 0 {
				p.Stops = append(p.Stops, ProfileStop{names[why], nr, s})
			}
		}
	}
	for why := byBirth; why < reasons; why++ {
		if s := k.prof.by[why]; s.Count > 0 {
			p.Stops = append(p.Stops, ProfileStop{names[why], -1, s})
		}
	}
	return p
}
