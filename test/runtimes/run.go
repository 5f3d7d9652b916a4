package runtimes

import (
	"path/filepath"
	"time"

	"dettrace/test/lab"
)

// limit is fatal for the test: no workload takes a tenth of it.
const limit = 15 * time.Minute

// command is the run of a workload, for the test and for the hint how to
// repeat it by hand.
func command(dettrace, dir string, w Workload, flags []string) []string {
	input := w.Dir
	if input == "" {
		input = w.Name
	}
	argv := []string{dettrace, "run", "--image", "host", "--no-default-input", "-i", filepath.Join(dir, input) + ":/build/src"}
	argv = append(append(argv, w.Flags...), flags...)
	return append(argv, "--", "sh", "run.sh")
}

// run runs a command line of dettrace on a host, on one CPU, and logs its
// events to the file log, if that is not "".
func run(h host, cpu string, argv []string, scratch, log string) (lab.Outcome, time.Duration, error) {
	if h.load {
		undo, err := lab.Load(1, cpu, 0)
		if err != nil {
			return lab.Outcome{}, 0, err
		}
		defer undo()
	}
	full := []string{"taskset", "-c", cpu, argv[0], argv[1]}
	if log != "" {
		full = append(full, "--log", log)
	}
	return lab.Observe(append(full, argv[2:]...), 3, h.env, scratch, limit)
}
