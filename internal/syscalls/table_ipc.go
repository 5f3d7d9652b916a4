package syscalls

const (
	noteShm   = "A namespace of our own: ids count up from 0 and limits are the kernel's defaults, not the host's settings."
	noteCtl   = "Times of the object are logical; usage figures of the whole kernel are fixed. Reading a value is a poll, so an event (normalised)."
	noteSemop = "Parks until the operation can be done; waiters are served in order (ordered)."
	noteMq    = "A namespace of our own, with fixed limits. Parks until there is a message or room (ordered)."
)

// rowsIPC are System V objects and POSIX message queues.
func rowsIPC() []Row {
	return []Row{
		counted(29, "shmget", noteShm),
		native(30, "shmat", "The address follows from past calls, as mmap(2)."),
		native(67, "shmdt", "The process's own mapping."),
		adjust(31, "shmctl", noteCtl),
		counted(64, "semget", noteShm),
		schedule(65, "semop", noteSemop),
		schedule(220, "semtimedop", noteSemop+" The timeout is on the logical clock."),
		adjust(66, "semctl", noteCtl),
		counted(68, "msgget", noteShm),
		schedule(69, "msgsnd", "Parks while the queue is full (ordered)."),
		schedule(70, "msgrcv", "Parks until a message fits (ordered)."),
		adjust(71, "msgctl", noteCtl),
		counted(240, "mq_open", noteMq+" Times seen by fstat are logical."),
		counted(241, "mq_unlink", noteMq),
		schedule(242, "mq_timedsend", noteMq+" The timeout is on the logical clock."),
		schedule(243, "mq_timedreceive", noteMq+" The timeout is on the logical clock."),
		adjust(244, "mq_notify", "The signal is sent by a sender that holds the turn, so it comes in order."),
		counted(245, "mq_getsetattr", "The number of messages is a poll: an event."),
	}
}

const noteFutex = "Done wholly by the supervisor: waiters queue first in, first out, timeouts are on the logical clock, no spurious wake-ups (ordered)."

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
