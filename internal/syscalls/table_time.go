package syscalls

import "golang.org/x/sys/unix"

const (
	noteClock  = "The logical clock; for the clocks of CPU time the ticks of the events that the thread or process made. A read moves it, so that a loop that waits for time ends (eliminated)."
	noteSetClk = "The clock is a setting of the run (--epoch): as without CAP_SYS_TIME."
	noteSleep  = "Parks until the logical clock, or a clock of CPU time, reaches the end; when all threads are parked the clock jumps there, so a sleep takes no time (eliminated)."
	noteTimer  = "The timer lives on the logical clock, or on a logical clock of CPU time; its signal is delivered at an event (eliminated)."
)

// rowsTime are clocks, sleeps and timers.
func rowsTime() []Row {
	return []Row{
		emulate(96, "gettimeofday", noteClock+" Also through our vDSO and the vsyscall page."),
		emulate(201, "time", noteClock+" Also through our vDSO and the vsyscall page."),
		emulate(228, "clock_gettime", noteClock+" Also through our vDSO."),
		emulate(229, "clock_getres", "Fixed: 1 ns, 4 ms for the coarse clocks (normalised)."),
		refuse(164, "settimeofday", unix.EPERM, noteSetClk),
		refuse(227, "clock_settime", unix.EPERM, noteSetClk),
		emulate(159, "adjtimex", "The state of the host's time synchronisation: a fixed, unsynchronised clock; setting gets EPERM (eliminated).").withErrno(unix.EPERM),
		emulate(305, "clock_adjtime", "As adjtimex(2).").withErrno(unix.EPERM),
		emulate(100, "times", "CPU time is logical: a tick for each event of a thread, summed over the process; of children, when they are waited for (eliminated)."),
		emulate(98, "getrusage", "CPU time is logical, of the thread, the process or the children that were waited for; faults, switches and the largest resident size are fixed (eliminated)."),
		schedule(35, "nanosleep", noteSleep),
		schedule(230, "clock_nanosleep", noteSleep),
		emulate(37, "alarm", noteTimer),
		emulate(36, "getitimer", noteTimer),
		emulate(38, "setitimer", noteTimer),
		emulate(222, "timer_create", noteTimer),
		emulate(223, "timer_settime", noteTimer),
		emulate(224, "timer_gettime", noteTimer),
		emulate(225, "timer_getoverrun", noteTimer),
		emulate(226, "timer_delete", noteTimer),
	}
}
