package syscalls

import "golang.org/x/sys/unix"

const (
	noteIPC   = "Wholly the supervisor's: ids count up from 0 as the kernel's do, limits are the kernel's defaults, times logical (eliminated)."
	noteSemop = "Wholly the supervisor's: who makes a waiting operation possible does it in the waiter's place, first come first served; SEM_UNDO at the end of the process (ordered)."
	noteMsg   = "Wholly the supervisor's: waiters are served in order of arrival, before anybody who comes later (ordered)."
	noteMq    = "A namespace of our own, with fixed limits; waiters are served in order of arrival (ordered)."
)

// rowsIPC are System V objects and POSIX message queues.
func rowsIPC() []Row {
	return []Row{
		adjust(29, "shmget", "A namespace of our own: ids count up from 0. Never reserves memory of the host; SHM_HUGETLB, which depends on it, gives ENOMEM (normalised).").withErrno(unix.ENOMEM),
		adjust(30, "shmat", "The address follows from past calls, as mmap(2); counted for the times of the segment."),
		adjust(67, "shmdt", "The process's own mapping; counted for the times of the segment."),
		adjust(31, "shmctl", "Times of the segment are logical, all of it is said to be in memory (normalised)."),
		emulate(64, "semget", noteIPC),
		schedule(65, "semop", noteSemop),
		schedule(220, "semtimedop", noteSemop+" The timeout is on the logical clock."),
		emulate(66, "semctl", noteIPC+" Reading a value is a poll for others, so an event."),
		emulate(68, "msgget", noteIPC),
		schedule(69, "msgsnd", noteMsg),
		schedule(70, "msgrcv", noteMsg),
		emulate(71, "msgctl", noteIPC).withErrno(unix.EPERM),
		counted(240, "mq_open", noteMq+" Times seen by fstat are logical."),
		counted(241, "mq_unlink", noteMq),
		schedule(242, "mq_timedsend", noteMq+" The timeout is on the logical clock."),
		schedule(243, "mq_timedreceive", noteMq+" The timeout is on the logical clock."),
		adjust(244, "mq_notify", "The kernel's. The signal is sent by a sender that holds the turn, so it comes in order."),
		counted(245, "mq_getsetattr", "The number of messages is a poll: an event."),
	}
}

const noteFutex = "Done wholly by the supervisor: waiters queue first in, first out, timeouts are on the logical clock, locks with priority inheritance are handed over in that order too, also when the owner dies; no spurious wake-ups (ordered)."

// rowsFutex are the fast user-space locks.
func rowsFutex() []Row {
	return []Row{
		schedule(202, "futex", noteFutex),
		schedule(449, "futex_waitv", noteFutex),
		schedule(454, "futex_wake", noteFutex),
		schedule(455, "futex_wait", noteFutex),
		schedule(456, "futex_requeue", noteFutex),
	}
}
