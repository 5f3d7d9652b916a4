package probes

import (
	"slices"
	"testing"
)

// catalogue says which probes prove each line of the catalogue about processes,
// threads, signals, sockets and other IPC, and time: what must not differ
// between runs. Each of them runs under the two-sided oracle.
var catalogue = []struct {
	line   string
	probes []string
}{
	// Time.
	{"every clock id of clock_gettime and clock_getres", []string{"time_clocks", "time_clocks_static", "time_getres"}},
	{"the vsyscall page", []string{"time_vsyscall"}},
	{"rdtsc while SIGSEGV is blocked or ignored", []string{"time_rdtsc_blocked", "time_rdtsc_ignored"}},
	{"rusage returned by wait4, waitid (also faults, switches, maxrss)", []string{"time_wait4_rusage", "time_waitid_rusage"}},
	{"times of pipes, devpts, mqueue and SysV objects", []string{"time_pipe", "time_pts", "time_mq_timeout", "time_sysv"}},
	{"gettimeofday, time, times", []string{"time_gettimeofday", "time_gettimeofday_static", "time_times"}},
	{"getrusage (self, children, thread)", []string{"time_getrusage"}},
	{"vDSO of each", []string{"vdso_symbols", "vdso_clock_gettime", "vdso_time", "time_go"}},
	{"rdtsc, rdtscp", []string{"time_rdtsc", "time_rdtscp"}},
	{"sysinfo uptime, /proc/uptime, /proc/stat btime", []string{"time_sysinfo_uptime", "time_proc_uptime", "time_proc_btime"}},
	{"process start times in /proc", []string{"time_proc_start"}},
	{"CPU-time clocks", []string{"time_cpu_clocks", "thread_clocks"}},
	{"adjtimex, clock_adjtime (NTP state)", []string{"time_adjtimex"}},
	{"sleeps of every form with rem and absolute deadlines", []string{"time_sleeps", "time_sleep_rem"}},
	{"timeouts of poll, select, epoll, futex, sigtimedwait, mq, semtimedop", []string{"time_timeouts", "time_mq_timeout", "time_semtimedop"}},
	{"alarm, setitimer", []string{"time_alarm", "time_setitimer", "time_itimer_cpu"}},
	{"timer_create (signal, thread, none)", []string{"time_timer_signal", "time_timer_thread", "time_timer_none"}},
	{"timerfd (pollable, overruns)", []string{"time_timerfd"}},
	{"clocks agree with each other, with file times, over fork and exec", []string{"time_agree", "time_order"}},
	{"time never runs backwards between processes", []string{"time_order"}},
	{"the time of a socket packet", []string{"time_socket", "time_socket_unix"}},
	{"date five times from one shell shows five rising values", []string{"time_date_five", "time_tools"}},
	{"time sleep 5 shows 5 s and takes no time", []string{"time_sleep_five", "time_sleep_bash"}},

	// Processes and threads.
	{"order of fork children, of exits, of wait(-1)", []string{"proc_order"}},
	{"wait status", []string{"proc_status"}},
	{"zombies, orphans", []string{"proc_orphan"}},
	{"vfork, posix_spawn, clone3 with every common flag", []string{"proc_vfork_spawn", "proc_clone3"}},
	{"exec from a thread; exit_group while others block", []string{"proc_exec_thread", "proc_exit_group"}},
	{"process groups, sessions, job control", []string{"proc_groups", "proc_job_control", "proc_bash_jobs"}},
	{"pipelines of many stages", []string{"proc_pipeline"}},
	{"jobserver of make -jN", []string{"proc_make_j", "proc_make_sub"}},
	{"interleaving of output of several writers", []string{"proc_writers", "proc_readers"}},
	{"pipe capacity and read sizes", []string{"proc_pipes"}},
	{"FIFOs; ptys", []string{"proc_fifo", "proc_fifo_shell", "proc_pty"}},
	{"races on shared memory between threads, and processes", []string{"thread_race_array", "thread_race_counter", "thread_mutex", "proc_race_memory", "proc_race_files"}},
	{"mutex, condvar (incl. requeue), rwlock, barrier, semaphore, spin lock", []string{"thread_mutex", "thread_condvar", "thread_rwlock", "thread_barrier", "thread_semaphore", "thread_spin_lock"}},
	{"robust and PI mutexes, futex across processes", []string{"thread_robust", "thread_pi", "thread_futex_processes"}},
	{"spin on a flag, with yield, with a clock", []string{"thread_spin_flag", "thread_spin_calls", "proc_poll_loops"}},
	{"thread-local storage, cancellation", []string{"thread_local", "thread_cancel"}},
	{"thread pools; 1,000 threads", []string{"thread_pool", "thread_1000"}},

	// Signals.
	{"kill, tgkill, sigqueue and siginfo contents", []string{"sig_info"}},
	{"order of pending signals", []string{"sig_order"}},
	{"SA_RESTART and EINTR of every restartable call", []string{"sig_restart"}}, // each call: test/guest
	{"masks over fork, exec, clone", []string{"sig_masks", "sig_target"}},
	{"sigaltstack; nested handlers", []string{"sig_altstack"}},
	{"SIGCHLD order and coalescing", []string{"sig_child"}},
	{"SIGPIPE", []string{"sig_pipe"}},
	{"SIGSEGV handlers that repair and continue", []string{"sig_segv"}},
	{"stop and continue", []string{"sig_stop", "proc_job_control"}},
	{"sigwait family; signalfd", []string{"sig_wait", "sig_fd"}},
	{"timers that signal", []string{"sig_timers", "time_timer_signal"}},
	{"a signal to a thread in a CPU loop is delivered at its next event", []string{"sig_loop"}},
	{"si_utime and si_stime of SIGCHLD", []string{"sig_child"}},
	{"the target thread of a process-directed signal", []string{"sig_target"}},

	// Sockets and other IPC.
	{"unix stream, dgram, seqpacket", []string{"ipc_unix"}},
	{"SCM_RIGHTS, credentials", []string{"ipc_rights"}},
	{"loopback TCP and UDP, v4 and v6: ephemeral ports", []string{"inet_ports", "ipc_udp"}},
	{"connect to a listening and to a closed port", []string{"inet_outside", "ipc_connect"}},
	{"bind again right after close", []string{"inet_rebind"}},
	{"accept order, short reads", []string{"inet_race", "inet_sizes"}},
	{"shutdown, nonblocking connect", []string{"ipc_connect"}},
	{"epoll edge and level, many fds in one epoll", []string{"inet_epoll"}},
	{"autobind names (abstract unix, netlink)", []string{"inet_autobind"}},
	{"SO_COOKIE, SO_NETNS_COOKIE, SO_INCOMING_CPU, TCP_INFO", []string{"inet_cookies", "inet_tcp_info"}},
	{"interface list, addresses, routes", []string{"inet_interfaces", "inet_tools"}},
	{"eventfd", []string{"ipc_eventfd"}},
	{"SysV and POSIX shared memory, semaphores, message queues", []string{"ipc_sysv", "ipc_posix"}},
	{"anything outside the container is unreachable", []string{"inet_outside"}},
}

// TestCatalogueIsProved: each line has probes that exist.
func TestCatalogueIsProved(t *testing.T) {
	var names []string
	for _, p := range Table() {
		names = append(names, p.Name)
	}
	for _, c := range catalogue {
		if len(c.probes) == 0 {
			t.Errorf("%s: no probe", c.line)
		}
		for _, p := range c.probes {
			if !slices.Contains(names, p) {
				t.Errorf("%s: there is no probe %s", c.line, p)
			}
		}
	}
}
