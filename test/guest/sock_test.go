package guest

import "testing"

// Calls that wait half-way or for a limited time: MSG_WAITALL, recvmmsg(2),
// SO_RCVTIMEO, SO_SNDTIMEO, and writes to what polls full but has room.
func TestSocketWaits(t *testing.T) { sameAsNative(t, "sock_wait") }

// TCP, UDP and the netlink and ioctl requests about interfaces: what the
// kernel's loopback says, where that is determined.
func TestInet(t *testing.T) {
	for _, name := range []string{"inet_tcp", "inet_udp", "inet_share", "inet_wrong"} {
		t.Run(name, func(t *testing.T) { sameAsNative(t, name) })
	}
}

// The names of the unix sockets behind internet sockets are nobody's, also before there
// is one.
func TestInetNames(t *testing.T) {
	r := sigLab.OK(t, "--", "python3", "-c", `
import socket
try: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind("\0dettrace:s1")
except OSError as e: print(e.strerror)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
try: s.bind("\0dettrace:s1")
except OSError as e: print(e.strerror)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM)`)
	if want := "Address already in use\nAddress already in use\n"; r.Stdout != want {
		t.Errorf("%q", r.Stdout)
	}
}

// Random programs of calls on TCP and UDP sockets of both families.
func TestInetRandom(t *testing.T) { sameAsNative(t, "inet_random", "1", "150") }

// What poll, select and epoll say of internet sockets.
func TestInetPoll(t *testing.T) { sameAsNative(t, "inet_poll") }
