package syscalls

import "golang.org/x/sys/unix"

const (
	noteRecv = "Parks until there is data, which comes in the order of the sends; datagrams of UDP and netlink are handed over by the supervisor (ordered)."
	noteSend = "Parks while the peer's buffer is full; the order of messages is the run queue's. An address outside the container gives ENETUNREACH and a line in the report (ordered)."
	noteOpt  = "On internet sockets options are kept and shown as Linux does, with fixed defaults; unknown ones are refused. On unix sockets they are the kernel's, but times of messages, which are logical, and labels of security modules, of which there are none. SO_COOKIE counts from 1 (normalised)."
)

// rowsSocket are the sockets. Internet and route netlink sockets are unix
// sockets in the kernel, and see the loopback of the container only.
func rowsSocket() []Row {
	unixOnly := allowIf(Cond{0, low32, unix.AF_UNIX})
	return []Row{
		adjust(41, "socket", "Unix sockets are the kernel's: their peers are inside the container. TCP and UDP have wall-clock timers and random ports in the kernel, and route netlink shows the host: such a socket becomes a unix socket, with addresses kept by the supervisor. Raw sockets: EPERM; other families: EAFNOSUPPORT; both reported. With --allow network they are the kernel's.").
			withErrno(unix.EAFNOSUPPORT).only(unixOnly, true),
		adjust(53, "socketpair", "A unix pair is the process's own; inode numbers are hidden by fstat. Other families: EAFNOSUPPORT.").
			withErrno(unix.EAFNOSUPPORT).only(unixOnly, true),
		schedule(42, "connect", "Parks while the listener's queue is full; a poll for the listener, so an event. TCP on the loopback connects at once; the outside is unreachable: ENETUNREACH, reported (ordered)."),
		schedule(43, "accept", "Parks until a peer connects; peers come in the order of their calls (ordered)."),
		schedule(288, "accept4", "As accept(2)."),
		adjust(49, "bind", "Unix names are the kernel's, but those of autobind, which are random there, come from a counter. Ports are reserved by the supervisor, ephemeral ones come from a counter (normalised)."),
		counted(50, "listen", "Makes connect(2) succeed elsewhere: an event."),
		adjust(51, "getsockname", "The internet address that the supervisor keeps; unix names are the guest's (normalised)."),
		adjust(52, "getpeername", "As getsockname(2)."),
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
