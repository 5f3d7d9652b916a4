package initproc

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

// Message kinds on the control socket; every message of the program has
// MessageLen bytes: kind, step, result.
const (
	MessageLen   = 16
	KindGuest    = 'G' // from pid 2: ready to be taken over
	KindLastPid  = 'L' // from pid 1: result of a write to ns_last_pid
	KindFailed   = 'E' // a step failed
	maxErrnoBits = 4095
	scriptStep   = 1 << 20 // and above: the offset of a step of the script
)

// StepError is a step of the script that failed, by its index.
type StepError struct {
	Step int
	Err  error // a syscall.Errno where the call gave one
}

// Error implements error.
func (e *StepError) Error() string {
	return fmt.Sprintf("init: step %d of the script: %v", e.Step, e.Err)
}

// Unwrap gives the errno.
func (e *StepError) Unwrap() error { return e.Err }

// ParseMessage decodes a message of the program. For KindFailed, and for
// KindLastPid with a failed write, err says what went wrong.
func ParseMessage(b []byte) (kind byte, err error) {
	if len(b) != MessageLen {
		return 0, fmt.Errorf("init: message of %d bytes, want %d", len(b), MessageLen)
	}
	kind = b[0]
	result := int64(binary.LittleEndian.Uint64(b[8:]))
	switch {
	case kind == KindFailed && binary.LittleEndian.Uint32(b[4:]) >= scriptStep:
		n := binary.LittleEndian.Uint32(b[4:]) - scriptStep
		return kind, &StepError{int(n / stepSize), resultError(result)}
	case kind == KindFailed:
		return kind, fmt.Errorf("init: %s: %w", stepName(binary.LittleEndian.Uint32(b[4:])), resultError(result))
	case kind == KindLastPid && result <= 0:
		return kind, fmt.Errorf("init: write ns_last_pid: %w", resultError(result))
	}
	return kind, nil
}

// resultError turns the raw result of a system call into an error.
func resultError(r int64) error {
	if r < 0 && r >= -maxErrnoBits {
		return syscall.Errno(-r)
	}
	return fmt.Errorf("unexpected result %d", r)
}

// stepName names the steps numbered in init_amd64.s (register R13).
func stepName(n uint32) string {
	names := [...]string{
		2: "write ns_last_pid", 3: "fork pid 2",
		4: "capset", 5: "setsid", 6: "drop bounding capability",
		7: "setgroups", 8: "setresgid", 9: "setresuid",
	}
	if n >= 1 && int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("step %d", n)
}
