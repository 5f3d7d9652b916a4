package inet

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Datagram is one message in a receive queue.
type Datagram struct {
	Data     []byte
	Src, Dst netip.AddrPort
	Time     int64 // ns since 1970: when it was sent
	TOS      byte
}

// datagramCost is what a queued datagram counts towards SO_RCVBUF besides its
// bytes, rounded up: its struct sk_buff and the room around the data.
const datagramCost = 512

// maxPayload are the most bytes in one datagram (65535 less the headers).
func (s *Socket) maxPayload(dst netip.Addr) int {
	if dst.Is4() {
		return 65507
	}
	return 65527
}

// CheckSize refuses datagrams that no packet can hold.
func (s *Socket) CheckSize(n int, dst netip.Addr) unix.Errno {
	if n > s.maxPayload(dst) {
		return unix.EMSGSIZE
	}
	return 0
}

// Receiver finds who gets a datagram, or nil: a socket connected to its
// sender before others, then as Listener.
func (t *Table) Receiver(src, dst netip.AddrPort) *Socket {
	var best []*Socket
	score := 0
	for _, o := range t.ports[portKey{false, dst.Port()}] {
		if !o.takes(dst.Addr()) {
			continue
		}
		n := o.rank(dst.Addr())
		if o.Remote.IsValid() {
			if o.Remote != src {
				continue
			}
			n += 4
		}
		if n > score {
			best, score = best[:0], n
		}
		if n == score {
			best = append(best, o)
		}
	}
	if len(best) == 0 {
		return nil
	}
	if best[0].ReusePort() { // one sender keeps its receiver
		return best[int(src.Port())%len(best)]
	}
	return best[len(best)-1]
}

// Push queues a datagram; a full queue drops it, as udp(7) may.
func (s *Socket) Push(d Datagram) bool {
	cost := datagramCost + (len(d.Data)+255)&^255
	if s.queued > 0 && s.queued+cost > int(s.Opt(unix.SOL_SOCKET, unix.SO_RCVBUF)) {
		return false
	}
	s.queue = append(s.queue, d)
	s.queued += cost
	return true
}

// Queued is the number of datagrams.
func (s *Socket) Queued() int { return len(s.queue) }

// Peek is the next datagram; ok is false when there is none.
func (s *Socket) Peek() (d Datagram, ok bool) {
	if len(s.queue) == 0 {
		return d, false
	}
	return s.queue[0], true
}

// Pop removes the next datagram.
func (s *Socket) Pop() {
	d := s.queue[0]
	s.queued -= datagramCost + (len(d.Data)+255)&^255
	s.queue[0] = Datagram{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
}

// TakeErr gives the pending error, which is reported once.
func (s *Socket) TakeErr() unix.Errno {
	e := s.Err
	s.Err = 0
	return e
}
