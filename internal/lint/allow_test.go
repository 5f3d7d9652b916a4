package lint

// exception is a use that the rule would refuse, and why it is right.
type exception struct {
	file, function, what string
	reason               string
}

func allowed() []exception {
	return []exception{
		{"internal/detfs/fs_dir.go", "fsys.listing", "range over map", "the list is sorted by name before it is returned"},
		{"internal/run/stuck.go", "container.guardRun", "time.Until", "a safety net of wall time may only end a run, never steer it"},
		{"internal/cache/run.go", "settled", "time.Sleep", "a tick of the clock of file times must pass before the run; nothing depends on how much longer it takes"},
		{"internal/scratch/scratch.go", "remove", "time.Sleep", "a run that is being ended may still write; the process that waits does nothing else"},
		{"internal/progress/progress.go", "Printer.Follow", "time.Now", "people who wait are told how long; it decides nothing"},
		{"internal/progress/progress.go", "Printer.Follow", "time.NewTicker", "people who wait are told how long; it decides nothing"},
		{"internal/progress/progress.go", "Printer.Follow", "time.Since", "people who wait are told how long; it decides nothing"},
		{"internal/kernel/fastpath.go", "Kernel.publishFutexes", "range over map", "the list is only searched; sorting it would cost at every resume"},
		{"internal/detfs/walk.go", "sortedNames", "range over map", "this is the function that sorts"},
	}
}
