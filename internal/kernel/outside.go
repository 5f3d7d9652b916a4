package kernel

import (
	"errors"
	"fmt"

	"dettrace/internal/hint"
)

// ErrKilledOutside says that something outside the container, such as the
// kernel when memory is short, killed one of its processes. At which moment
// that happened is not a function of the inputs, so the run cannot go on.
var ErrKilledOutside = errors.New("killed from outside the container")

func (k *Kernel) outsideKill(p *Process) error {
	return hint.With(fmt.Errorf("%s was %w", p.describe(), ErrKilledOutside),
		"the host may be short of memory: see its kernel log")
}

// deadOutside finds a parked process that was killed from outside. Nobody
// waits for it by name, so a run notices when nothing else is left to do.
func (k *Kernel) deadOutside() error {
	for _, t := range k.order {
		if st, err := readStatus(t.tid); err == nil && !t.leaderGone {
			if s := idLine(st, "State:"); len(s) > 0 && (s[0] == "Z" || s[0] == "X") {
				return k.outsideKill(t.proc)
			}
		}
	}
	return nil
}
