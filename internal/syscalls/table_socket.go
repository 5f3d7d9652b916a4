package syscalls

import "golang.org/x/sys/unix"

const (
	noteRecv = "Parks until there is data; unix sockets deliver in the order of the sends. Times of packets (SO_TIMESTAMP) are logical (ordered)."
	noteSend = "Parks while the peer's buffer is full; the order of messages is the run queue's (ordered)."
	noteAddr = "Unix names are the guest's; autobind names, chosen at random by the kernel, are replaced (normalised)."
	noteOpt  = "Buffer sizes and limits come from the host's settings, cookies from a counter: fixed values, unknown options are refused (normalised)."
)

// rowsSocket are the sockets. Only AF_UNIX exists without --allow network.
func rowsSocket() []Row {
	unixOnly := allowIf(Cond{0, low32, unix.AF_UNIX})
	return []Row{
		adjust(41, "socket", "Unix sockets are the kernel's: their peers are inside the container. Internet sockets have the kernel's wall-clock timers and random ports, netlink and packet sockets show the host: EAFNOSUPPORT, unless a door is open (--allow network).").
			withErrno(unix.EAFNOSUPPORT).only(unixOnly, true),
		adjust(53, "socketpair", "A unix pair is the process's own; inode numbers are hidden by fstat. Other families as socket(2).").
			withErrno(unix.EAFNOSUPPORT).only(unixOnly, true),
		schedule(42, "connect", "Parks while the listener's queue is full; a poll for the listener, so an event (ordered)."),
		schedule(43, "accept", "Parks until a peer connects; peers come in the order of their calls (ordered)."),
		schedule(288, "accept4", "As accept(2)."),
		adjust(49, "bind", noteAddr),
		counted(50, "listen", "Makes connect(2) succeed elsewhere: an event."),
		adjust(51, "getsockname", noteAddr),
		adjust(52, "getpeername", noteAddr),
		counted(48, "shutdown", "Wakes the peer, in order: an event."),
		adjust(54, "setsockopt", noteOpt),
		adjust(55, "getsockopt", noteOpt),
		schedule(44, "sendto", noteSend),
		schedule(46, "sendmsg", noteSend),
		schedule(307, "sendmmsg", noteSend),
		schedule(45, "recvfrom", noteRecv),
		schedule(47, "recvmsg", noteRecv+" Credentials are ids of the container."),
		schedule(299, "recvmmsg", noteRecv+" The timeout is on the logical clock."),
	}
}
