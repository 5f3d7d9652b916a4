package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dettrace/internal/hint"
	"dettrace/internal/trace"
)

type traceFlags struct {
	filter   trace.Filter
	from, to time.Duration
	json     bool
	stats    bool
	timeline string
}

func (a App) traceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace [flags] FILE",
		Short: "Print what happened in a run",
		Long: `Print the events of a trace that dettrace run --trace FILE wrote: births,
execs and ends of processes, signals, and system calls with the files and
bytes that they were about. Times are logical, from the start of the run.

Filters are joined: an event must match each kind that is given. After the
last event come the files that the run changed.`,
		Example: `  dettrace run --trace build.trace -- make
  dettrace trace build.trace
  dettrace trace --call exec,exit build.trace
  dettrace trace --path /build/src/config.h build.trace
  dettrace trace --pid 7 --children --failed build.trace
  dettrace trace --stats build.trace
  dettrace trace --timeline build.json build.trace    # for ui.perfetto.dev, chrome://tracing
  dettrace trace --json build.trace | jq 'select(.op == "write") | .file.path'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hint.With(errors.New("trace: name one trace file"), "dettrace run --trace FILE -- CMD writes one")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.trace(f, args[0]) },
	}
	fs := cmd.Flags()
	fs.IntSliceVar(&f.filter.PIDs, "pid", nil, "only of these processes `PID` of the guest")
	fs.BoolVar(&f.filter.Children, "children", false, "of the children of --pid, too, and theirs")
	fs.StringSliceVar(&f.filter.Calls, "call", nil, "only these system calls `NAME`; also birth, exec, exit, signal, changed")
	fs.StringArrayVar(&f.filter.Paths, "path", nil, "only about files at guest `PATH`, or below it; with *, ? and [] (repeatable)")
	fs.DurationVar(&f.from, "from", 0, "only from this logical `TIME` on, such as 1.5s")
	fs.DurationVar(&f.to, "to", 0, "only until this logical `TIME`")
	fs.BoolVar(&f.filter.Failed, "failed", false, "only calls that gave an error")
	fs.BoolVar(&f.stats, "stats", false, "print counts by call, process and file instead")
	fs.StringVar(&f.timeline, "timeline", "", "write them to `FILE` in the Trace Event Format instead")
	fs.BoolVar(&f.json, "json", false, "JSON: one line for each event; with --stats one object")
	fs.SortFlags = false
	return cmd
}

func (a App) trace(f traceFlags, name string) error {
	f.filter.From, f.filter.To = f.from.Nanoseconds(), f.to.Nanoseconds()
	file, err := os.Open(a.hostPath(name))
	if err != nil {
		return hint.With(fmt.Errorf("trace: %w", err), "dettrace run --trace FILE -- CMD writes one")
	}
	defer file.Close() // only read: nothing can be lost
	if f.timeline != "" {
		return a.save(f.timeline, func(w io.Writer) error {
			t := trace.NewTimeline(w)
			err := f.each(file, func(r *trace.Record) error {
				t.Add(r)
				return nil
			})
			return errors.Join(err, t.Close())
		})
	}
	w := bufio.NewWriter(a.Host.Stdout)
	if f.stats {
		err = f.statistics(file, w)
	} else {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		err = f.each(file, func(r *trace.Record) error {
			if f.json {
				return enc.Encode(r)
			}
			_, err := fmt.Fprintln(w, r.Text())
			return err
		})
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return errors.Join(err, w.Flush())
}

// each gives do the records that the filter selects.
func (f *traceFlags) each(file io.Reader, do func(*trace.Record) error) error {
	var failed error
	err := trace.Scan(file, func(r *trace.Record) bool {
		if f.filter.Match(r) {
			failed = do(r)
		}
		return failed == nil
	})
	return errors.Join(failed, err)
}

func (f *traceFlags) statistics(file io.Reader, w io.Writer) error {
	var s trace.Stats
	if err := f.each(file, func(r *trace.Record) error { s.Add(r); return nil }); err != nil {
		return err
	}
	s.Sort()
	if f.json {
		return writeJSON(w, s)
	}
	return s.Text(w)
}
