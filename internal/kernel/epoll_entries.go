package kernel

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// epollEntry is a file in an epoll set, as fdinfo of the set tells it (proc_pid_fdinfo(5)).
type epollEntry struct {
	n      int    // descriptor with which it was added
	events uint32 // asked for, with EPOLLERR and EPOLLHUP; no others once EPOLLONESHOT has disarmed it
	data   uint64 // what epoll_wait(2) gives for it
	ino    uint64
}

// epollFlags are the bits of an entry's events that are none.
const epollFlags = unix.EPOLLET | unix.EPOLLONESHOT | unix.EPOLLWAKEUP | unix.EPOLLEXCLUSIVE

// polled are the events that poll(2) knows.
func (e *epollEntry) polled() int16 { return int16(uint16(e.events &^ epollFlags)) }

// armed reports that the entry can have an event. One that asks for EPOLLERR and EPOLLHUP
// alone, once, was disarmed by epollHidden.
func (e *epollEntry) armed() bool {
	asked := e.events &^ epollFlags
	return asked != 0 && (e.events&unix.EPOLLONESHOT == 0 || asked&^(unix.EPOLLERR|unix.EPOLLHUP) != 0)
}

// epollEntries lists what is in the epoll set f, in order of descriptors: the kernel's is
// that of addresses of its own. ok is false where that cannot be known.
func (k *Kernel) epollEntries(f *file) (list []epollEntry, ok bool) {
	b, err := readProc("/proc/self/fdinfo/" + strconv.Itoa(f.fd))
	if err != nil {
		return nil, false
	}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		var e epollEntry
		var pos int
		if _, err := fmt.Sscanf(sc.Text(), "tfd: %d events: %x data: %x pos:%d ino:%x", &e.n, &e.events, &e.data, &pos, &e.ino); err == nil {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b epollEntry) int { return a.n - b.n })
	return list, true
}

// entryFile fetches the file of an entry, whose class is fdBad if the number means another
// by now. The caller closes it.
func (k *Kernel) entryFile(t *Task, e *epollEntry) file {
	g := k.file(t, e.n)
	if g.ino != 0 && g.ino != e.ino {
		g.close()
		g.class = fdBad
	}
	return g
}
