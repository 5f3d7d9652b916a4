package run

import (
	"errors"
	"fmt"
	"time"

	"dettrace/internal/hint"
	"dettrace/internal/kernel"
)

// ErrMemory ends a run whose guest used more than Spec.Memory.
var ErrMemory = errors.New("the guest used more memory than --memory allows")

// memoryTick is how often the guest's memory is looked at: a process can fill
// about 100 MB in that time.
const memoryTick = 20 * time.Millisecond

func (c *container) memoryErr() error {
	if c.box == nil || !c.box.OverMemory(c.spec.Memory) {
		return nil
	}
	return hint.With(fmt.Errorf("%w (%d bytes)", ErrMemory, c.spec.Memory), "raise the limit, or run fewer jobs at once")
}

// explainKill finds out why the kernel killed one of the guest's processes.
func (c *container) explainKill(err error) error {
	if errors.Is(err, kernel.ErrKilledOutside) {
		if m := c.memoryErr(); m != nil {
			return m
		}
	}
	return err
}
