package probes

// threadTable are the lines about threads of the section of processes.
func threadTable() []Probe {
	const s = "Processes"
	const semantic = "its answer is right or wrong"
	const race = "a race"
	return []Probe{
		{Section: s, Line: "races on shared memory: a 20-million-element array", Name: "thread_race_array", Varies: Answer, Why: race},
		{Section: s, Line: "races on shared memory: unsynchronised counters", Name: "thread_race_counter"},
		{Section: s, Line: "lock order; mutex", Name: "thread_mutex", Varies: Answer, Why: race},
		{Section: s, Line: "condvar (incl. requeue)", Name: "thread_condvar", Varies: Answer, Why: race},
		{Section: s, Line: "rwlock", Name: "thread_rwlock", Varies: Answer, Why: race},
		{Section: s, Line: "barrier", Name: "thread_barrier", Varies: Answer, Why: race},
		{Section: s, Line: "semaphore", Name: "thread_semaphore", Varies: Answer, Why: race},
		{Section: s, Line: "spin lock", Name: "thread_spin_lock", Varies: Answer, Why: race},
		{Section: s, Line: "robust mutexes", Name: "thread_robust", Varies: Answer, Why: semantic},
		{Section: s, Line: "PI mutexes", Name: "thread_pi", Varies: Answer, Why: semantic},
		{Section: s, Line: "futex across processes", Name: "thread_futex_processes", Varies: Answer, Why: race},
		{Section: s, Line: "spin on a flag, with and without pause", Name: "thread_spin_flag", Varies: Answer, Why: race},
		{Section: s, Line: "spin with yield, spin with a clock", Name: "thread_spin_calls"},
		{Section: s, Line: "thread-local storage", Name: "thread_local", Varies: Answer, Why: race},
		{Section: s, Line: "cancellation", Name: "thread_cancel", Varies: Answer, Why: semantic},
		{Section: s, Line: "thread pools", Name: "thread_pool", Varies: Answer, Why: race},
		{Section: s, Line: "1,000 threads", Name: "thread_1000", Varies: Answer, Why: race},
		{Section: s, Line: "thread CPU clocks, sched_* calls, membarrier", Name: "thread_clocks"},
	}
}
