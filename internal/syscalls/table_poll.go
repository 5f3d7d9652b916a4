package syscalls

const (
	notePoll    = "The thread is parked until a descriptor it names is ready or the logical clock reaches the timeout; what is ready is a function of past events (ordered)."
	noteEvWait  = "As poll(2). The ready list's order is that of the wake-ups, which one running thread at a time makes deterministic (ordered)."
	noteEvMake  = "An object of the process's own; its anonymous inode is hidden by fstat, its reads are scheduled."
	noteInotify = "The guest's own changes only, in their order: nothing outside can change our files. Rename cookies, a counter of the host, are renumbered when read (normalised)."
	noteTimerfd = "The timer lives on the logical clock; a read parks until it is due (eliminated)."
)

const epollCtlDel = 2 // EPOLL_CTL_DEL

// rowsPoll are the calls that wait for several descriptors, and their objects.
func rowsPoll() []Row {
	return []Row{
		schedule(7, "poll", notePoll),
		schedule(271, "ppoll", notePoll+" The time left that the kernel writes back is logical."),
		schedule(23, "select", notePoll+" The time left that Linux writes back is logical."),
		schedule(270, "pselect6", notePoll+" The time left that the kernel writes back is logical."),
		schedule(232, "epoll_wait", noteEvWait),
		schedule(281, "epoll_pwait", noteEvWait),
		schedule(441, "epoll_pwait2", noteEvWait),
		native(213, "epoll_create", noteEvMake),
		native(291, "epoll_create1", noteEvMake),
		{Nr: 233, Name: "epoll_ctl", Class: Adjust, Filter: allowValues(1, epollCtlDel),
			Note: "Changes the process's own interest list. Files and directories get EPERM, as everywhere but on FUSE; an internet socket has its events anew."},
		native(284, "eventfd", noteEvMake),
		native(290, "eventfd2", noteEvMake),
		counted(282, "signalfd", noteEvMake),
		counted(289, "signalfd4", noteEvMake),
		emulate(283, "timerfd_create", noteTimerfd),
		emulate(286, "timerfd_settime", noteTimerfd),
		emulate(287, "timerfd_gettime", noteTimerfd),
		native(253, "inotify_init", noteInotify),
		native(294, "inotify_init1", noteInotify),
		native(254, "inotify_add_watch", noteInotify+" Watch numbers count up in each instance."),
		native(255, "inotify_rm_watch", noteInotify),
	}
}
