package kernel

import (
	"fmt"
	"strings"
)

// DeadlockError says that every thread waits for another one and no timer is
// left. It names each thread, its call and what it waits for.
type DeadlockError struct {
	Threads []string
}

func (e *DeadlockError) Error() string {
	return "deadlock: all threads wait and no timer is left\n" + strings.Join(e.Threads, "\n")
}

func (k *Kernel) deadlock() error {
	if err := k.deadOutside(); err != nil {
		return err
	}
	e := &DeadlockError{}
	for _, t := range k.order {
		name := "?"
		if t.callNr >= 0 && t.callNr < len(k.calls) && k.calls[t.callNr] != nil {
			name = k.calls[t.callNr].row.Name
		}
		what := t.wait.what
		if what == "" {
			what = "its siblings to end"
		}
		if s := t.wait.spin; s != nil {
			e.Threads = append(e.Threads, fmt.Sprintf("  %s thread %d: spins at %s until memory changes", t.proc.describe(), t.vtid, k.instruction(t, s.at)))
			continue
		}
		e.Threads = append(e.Threads, fmt.Sprintf("  %s thread %d: %s waits for %s", t.proc.describe(), t.vtid, name, what))
	}
	return e
}

// instruction names one of t for people.
func (k *Kernel) instruction(t *Task, addr uint64) string {
	if k.cfg.Place != nil {
		return k.cfg.Place(t.tid, addr)
	}
	return hex(addr)
}
