// Package inet is the model of internet sockets on the loopback of the
// container: addresses, ports, options, the queues of datagrams, the answers
// of route netlink, and the only interface there is.
//
// The kernel's own loopback has timers of wall-clock time and ports chosen
// from a secret of the boot, so no packet of the guest ever meets it. A TCP
// socket is a unix stream socket of the guest's own: bytes, readiness and
// blocking are the kernel's, and names are here. A UDP or netlink socket is a
// unix datagram socket that carries no data but tokens, so that it polls
// readable while its queue here is not empty (package kernel moves both).
//
// The package makes no system call and knows no clock. Sockets are found by
// the inode number of the unix socket behind them, so they follow dup, fork
// and SCM_RIGHTS. That one is gone is not announced: closing is native. Who
// must know asks the kernel for the live inode numbers and calls Sweep.
package inet
