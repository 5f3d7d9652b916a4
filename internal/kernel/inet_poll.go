package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

// What poll(2), select(2) and epoll(7) say of internet sockets, where unix_poll answers
// for the unix socket behind.

const pollRdNorm, pollWrNorm, pollWrBand = 0x40, 0x100, 0x200 // asm-generic/poll.h

// tcpEvents are the events of s, a TCP socket, where the kernel tells got of the unix
// socket behind it (tcp_poll in net/ipv4/tcp.c).
func tcpEvents(s *inet.Socket, got int16) int16 {
	const shut = unix.POLLIN | pollRdNorm | unix.POLLRDHUP // RCV_SHUTDOWN
	const over = shut | unix.POLLHUP | unix.POLLOUT | pollWrNorm
	got &^= pollWrBand
	switch s.State {
	case inet.Ended: // tcp_disconnect() has made it new
		return unix.POLLHUP | unix.POLLOUT | pollWrNorm
	case inet.Refused, inet.Broken: // both directions have ended (tcp_done)
		got = got&^unix.POLLERR | over
	case inet.Connected, inet.Connecting:
		// A unix socket hangs up when its peer closes. TCP learns no more of that than
		// of shutdown(SHUT_WR), the end of what comes in, and hangs up when both
		// directions have ended.
		switch reset := s.Peer != nil && s.Peer.Abortive && !s.Peer.Shut(); {
		case got&unix.POLLHUP == 0 || got&unix.POLLERR != 0:
		case reset:
			got |= over | unix.POLLERR
		case !s.NoWrite:
			got &^= unix.POLLHUP
		}
		if s.NoWrite && got&unix.POLLRDHUP != 0 {
			got |= unix.POLLHUP
		}
	}
	if s.Err != 0 {
		got |= unix.POLLERR
	}
	if s.NoRead && s.State != inet.Listening {
		got |= shut
		if s.NoWrite {
			got |= unix.POLLHUP
		}
	}
	return got
}

// udpEvents are the events of s, a UDP or netlink socket (datagram_poll). A token of an
// error makes the socket behind it readable.
func udpEvents(s *inet.Socket, got int16) int16 {
	if s.Err != 0 {
		got |= unix.POLLERR
		if s.Queued() == 0 {
			got &^= unix.POLLIN | pollRdNorm
		}
	}
	if s.NoRead {
		got |= unix.POLLIN | pollRdNorm | unix.POLLRDHUP
		if s.NoWrite {
			got |= unix.POLLHUP
		}
	}
	return got
}

// inetEvents are the events of s where the kernel tells got of the unix socket.
func inetEvents(s *inet.Socket, got int16) int16 {
	if s.Stream() {
		return tcpEvents(s, got)
	}
	return udpEvents(s, got)
}

// pollEvents are what poll(2) tells of f when it is asked for events. seems reports
// that the kernel tells something of the file behind it, true or not.
func (k *Kernel) pollEvents(f *file, events int16) (told int16, seems bool) {
	s := k.inetOf(f)
	asked := events
	if s != nil && s.Stream() {
		asked &^= pollWrBand
	}
	got, e := pollInet(f.fd, s, asked)
	if e != 0 {
		return unix.POLLNVAL, true
	}
	if told = got; s != nil {
		told = inetEvents(s, got) & (events | unix.POLLERR | unix.POLLHUP)
	}
	return told, got&(asked|unix.POLLERR|unix.POLLHUP) != 0
}

// pollInet is pollOne for what inetEvents looks at: of one that does not write, whether
// the peer has ended, too.
func pollInet(fd int, s *inet.Socket, events int16) (int16, unix.Errno) {
	if s != nil && s.Stream() && s.NoWrite {
		events |= unix.POLLRDHUP
	}
	return pollOne(fd, events)
}

// asInet changes what poll(2) or select(2), which v lets the kernel do, will say of the
// internet sockets in s.
func (k *Kernel) asInet(t *Task, s *pollSpec, v verdict) verdict {
	if k.inet.Empty() {
		return v
	}
	var list []pollTold
	for _, p := range s.fds {
		f := k.file(t, p.n)
		if k.inetOf(&f) != nil {
			told, _ := k.pollEvents(&f, p.events)
			list = append(list, pollTold{p, told})
		}
		f.close()
	}
	if len(list) == 0 {
		return v
	}
	sets := s.sets
	return t.atEnd(v, func(t *Task) { t.putTold(list, sets) })
}

// pollTold is what a call tells of one descriptor.
type pollTold struct {
	pollFD
	told int16
}

// putTold writes that at the exit of the call, which the kernel has counted.
func (t *Task) putTold(list []pollTold, sets bool) {
	was := t.result()
	if was < 0 {
		return
	}
	left := was
	count := func(before, now bool) { left += int64(b2i(now) - b2i(before)) }
	for _, p := range list {
		var b [2]byte
		if sets {
			bit := byte(1) << (p.n % 8)
			now := p.told&p.events != 0
			if !t.read(p.at, b[:1]) || b[0]&bit != 0 == now {
				continue
			}
			b[0] ^= bit
			t.write(p.at, b[:1])
			count(!now, now)
			continue
		}
		if !t.read(p.at, b[:]) {
			continue
		}
		before := binary.LittleEndian.Uint16(b[:])
		if now := uint16(p.told); now != before {
			binary.LittleEndian.PutUint16(b[:], now)
			t.write(p.at, b[:])
			count(before != 0, now != 0)
		}
	}
	if left != was {
		t.regs.Rax = uint64(left)
		t.rewrite()
	}
}

// hangUp lets those look again who wait for events of an internet socket of which
// the kernel does not tell: a shutdown(2) of the guest's, a refused datagram.
func (k *Kernel) hangUp() {
	for _, o := range k.order {
		if o.wait.quiet {
			k.sched.Wake(o.th)
		}
	}
}
