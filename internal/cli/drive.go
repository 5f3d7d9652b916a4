package cli

import (
	"context"
	"slices"

	"github.com/spf13/pflag"

	"dettrace/internal/run"
)

// What the commands share that make many runs: hunt, verify, explain.

// interruptible is ctx, ended by Ctrl-C and the like.
func (a App) interruptible(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-a.Interrupt:
			cancel(run.ErrInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// given are the flags on the command line but those of not, in the order of the
// help, as they are handed to a run.
func given(fs *pflag.FlagSet, not ...string) (args []string) {
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "help" || slices.Contains(not, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return args
}
