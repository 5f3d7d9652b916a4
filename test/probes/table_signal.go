package probes

// signalTable is the section of signals.
func signalTable() []Probe {
	const s = "Signals"
	const semantic = "its answer is right or wrong"
	return []Probe{
		{Section: s, Line: "kill, tgkill, sigqueue and siginfo contents", Name: "sig_info"},
		{Section: s, Line: "order of pending signals", Name: "sig_order", Varies: Answer, Why: semantic},
		{Section: s, Line: "SA_RESTART and EINTR", Name: "sig_restart"},
		{Section: s, Line: "masks over fork and exec", Name: "sig_masks", Varies: Answer, Why: semantic},
		{Section: s, Line: "sigaltstack; nested handlers", Name: "sig_altstack", Varies: Answer, Why: semantic},
		{Section: s, Line: "SIGCHLD order and coalescing; si_utime and si_stime", Name: "sig_child"},
		{Section: s, Line: "SIGPIPE", Name: "sig_pipe", Varies: Answer, Why: semantic},
		{Section: s, Line: "SIGSEGV handlers that repair and continue", Name: "sig_segv", Varies: Answer, Why: semantic},
		{Section: s, Line: "stop and continue", Name: "sig_stop"},
		{Section: s, Line: "sigwait family", Name: "sig_wait"},
		{Section: s, Line: "signalfd", Name: "sig_fd"},
		{Section: s, Line: "timers that signal", Name: "sig_timers"},
		{Section: s, Line: "a signal to a thread in a CPU loop", Name: "sig_loop"},
		{Section: s, Line: "the target thread of a process-directed signal", Name: "sig_target"},
	}
}
