package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// readInotify reads events of inotify(7). The cookie that joins the two halves
// of a rename comes from a counter of the whole kernel (fsnotify_get_cookie).
func (k *Kernel) readInotify(t *Task, f *file) verdict {
	n := t.intArg(0)
	v := k.untilReady(t, f, unix.POLLIN, "read from "+f.describe())
	switch v {
	case pass:
		if bufs, e := t.buffers(); e == 0 {
			t.onExit = func(t *Task) { k.fixCookies(t, bufs) }
			return toExit
		}
	case park:
		t.onTurn = func(t *Task) verdict {
			g := k.file(t, n)
			if g.class == fdBad {
				return pass
			}
			return k.readInotify(t, &g)
		}
	}
	return v
}

// fixCookies renumbers the cookies of what was read into bufs.
func (k *Kernel) fixCookies(t *Task, bufs []iov) {
	left := t.result()
	for _, b := range bufs {
		if left <= 0 {
			return
		}
		// The kernel copies events whole, so a vector may hold a part of one;
		// readers of inotify use one buffer.
		p := make([]byte, min(int64(b.len), left))
		left -= int64(len(p))
		if !t.read(b.base, p) {
			return
		}
		const header = 16 // struct inotify_event: wd, mask, cookie, len
		for at := 0; at+header <= len(p); {
			if c := binary.LittleEndian.Uint32(p[at+8:]); c != 0 {
				binary.LittleEndian.PutUint32(p[at+8:], uint32(k.inodes.get("cookie", uint64(c))))
			}
			at += header + int(binary.LittleEndian.Uint32(p[at+12:]))
		}
		t.write(b.base, p)
	}
}
