package probes

func inetTable() []Probe {
	const s = "Sockets and other IPC"
	const semantic = "its answer is right or wrong"
	return []Probe{
		{Section: s, Line: "unix stream, dgram, seqpacket", Name: "ipc_unix", Varies: Answer, Why: semantic},
		{Section: s, Line: "SCM_RIGHTS, credentials", Name: "ipc_rights"},
		{Section: s, Line: "loopback UDP, v4 and v6", Name: "ipc_udp"},
		{Section: s, Line: "connect to a listening port, nonblocking; shutdown", Name: "ipc_connect"},
		{Section: s, Line: "eventfd", Name: "ipc_eventfd", Varies: Answer, Why: semantic},
		{Section: s, Line: "SysV shared memory, semaphores, message queues", Name: "ipc_sysv"},
		{Section: s, Line: "POSIX shared memory, semaphores, message queues", Name: "ipc_posix"},
		{Section: s, Line: "loopback TCP and UDP, v4 and v6: ephemeral ports", Name: "inet_ports"},
		{Section: s, Line: "accept order of racing clients", Name: "inet_race", Varies: Answer, Why: "stable on a quiet host"},
		{Section: s, Line: "short reads, how much a connection holds", Name: "inet_sizes"},
		{Section: s, Line: "connect to a closed port and to the outside; other families", Name: "inet_outside", Varies: Answer, Why: "unreachable whatever the host can reach"},
		{Section: s, Line: "bind again right after close", Name: "inet_rebind", Varies: Answer, Why: "no TIME_WAIT: natively SO_REUSEADDR only"},
		{Section: s, Line: "epoll edge and level, many fds in one set", Name: "inet_epoll", Varies: Answer, Why: "what is ready follows from the order of the writes"},
		{Section: s, Line: "autobind names (abstract unix, netlink)", Name: "inet_autobind"},
		{Section: s, Line: "SO_COOKIE, SO_NETNS_COOKIE, SO_INCOMING_CPU", Name: "inet_cookies"},
		{Section: s, Line: "TCP_INFO", Name: "inet_tcp_info"},
		{Section: s, Line: "interface list, addresses, routes", Name: "inet_interfaces", Varies: Host},
		{Section: s, Line: "/proc/net/tcp", Name: "inet_proc"},
		{Section: s, Line: "interfaces and sockets as ip and ss show them", Name: "inet_tools", Cmd: "ip -s a; ip r; ss -an", Needs: "ip", Varies: Host},
		{Section: s, Line: "a Go server and clients in goroutines", Name: "inet_go", Cmd: `{go} tcp`},
	}
}
