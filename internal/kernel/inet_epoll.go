package kernel

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/inet"
)

const epollEventSize = 12 // struct epoll_event, packed on x86-64

// epoll_ctl(2) refuses files that need no waiting; those of a FUSE mount can be polled.
// A TCP socket never has the event EPOLLWRBAND, for which the unix socket behind one
// would be ready.
func sysEpollCtl(k *Kernel, t *Task) verdict {
	op := t.intArg(1)
	var event [16]byte // its EFAULT comes first, and then those of the set
	if op != unix.EPOLL_CTL_ADD && op != unix.EPOLL_CTL_MOD || !t.read(t.arg(3), event[:epollEventSize]) {
		return pass
	}
	set, f := k.file(t, t.intArg(0)), k.file(t, t.intArg(2))
	defer set.close()
	defer f.close()
	if set.class == fdBad {
		return pass
	}
	if op == unix.EPOLL_CTL_ADD && f.class == fdTree && f.status()&unix.O_PATH == 0 {
		return t.fail(unix.EPERM)
	}
	le := binary.LittleEndian
	events := le.Uint32(event[:])
	if s := k.inetOf(&f); s == nil || !s.Stream() || events&pollWrBand == 0 {
		return pass
	}
	le.PutUint32(event[:], events&^pollWrBand)
	entry := t.regs
	at, ok := t.lend(le.Uint64(event[:]), le.Uint64(event[8:]))
	if !ok {
		return pass
	}
	t.setArg(3, at)
	t.rewrite()
	t.onExit = func(t *Task) { t.endWith(entry, t.result()) }
	return toExit
}

// epollEntry is an internet socket in an epoll set.
type epollEntry struct {
	s      *inet.Socket
	events uint32
}

// epollInet finds the internet sockets in the set f by the data that epoll_wait(2)
// gives for them. Data that several files of the set have mean none.
func (k *Kernel) epollInet(t *Task, f *file) map[uint64]epollEntry {
	b, err := readProc("/proc/self/fdinfo/" + strconv.Itoa(f.fd))
	if err != nil {
		return nil
	}
	found := map[uint64]epollEntry{}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		var n, pos int
		var events uint32
		var data, ino uint64
		if _, err := fmt.Sscanf(sc.Text(), "tfd: %d events: %x data: %x pos:%d ino:%x", &n, &events, &data, &pos, &ino); err != nil {
			continue
		}
		var e epollEntry
		if _, several := found[data]; !several {
			g := k.file(t, n)
			if g.class == fdSocket && g.ino == ino { // else the number means another file by now
				e = epollEntry{k.inetOf(&g), events}
			}
			g.close()
		}
		found[data] = e
	}
	return found
}

// putEpoll changes what epoll_wait(2) has said of internet sockets.
func (k *Kernel) putEpoll(t *Task) {
	n := t.result()
	if n <= 0 {
		return
	}
	f := k.file(t, t.intArg(0))
	defer f.close()
	if f.class != fdAnon {
		return
	}
	var found map[uint64]epollEntry
	for at := t.arg(1); n > 0; n, at = n-1, at+epollEventSize {
		var b [epollEventSize]byte
		if !t.read(at, b[:]) {
			return
		}
		got := binary.LittleEndian.Uint32(b[:])
		if got&(unix.EPOLLHUP|unix.EPOLLERR) == 0 && !k.oddInet {
			continue
		}
		if found == nil {
			found = k.epollInet(t, &f)
		}
		e := found[binary.LittleEndian.Uint64(b[4:])]
		if e.s == nil {
			continue
		}
		asked := uint16(e.events) | unix.EPOLLERR | unix.EPOLLHUP
		if uint16(e.events) == 0 { // EPOLLONESHOT, which was this event
			asked |= uint16(got)
		}
		// An event that there is only of the unix socket stays: who asks for neither
		// reading nor writing would be woken again and again for nothing.
		now := uint32(uint16(inetEvents(e.s, int16(uint16(got)))) & asked)
		if now != 0 && now != got {
			t.writeU32(at, now)
		}
	}
}
