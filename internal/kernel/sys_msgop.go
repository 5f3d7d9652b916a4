package kernel

import (
	"math"

	"golang.org/x/sys/unix"
)

// Flags of msgrcv(2).
const (
	msgNoError = 0o10000
	msgExcept  = 0o20000
	msgCopy    = 0o40000
)

// msgget(2).
func sysMsgget(k *Kernel, t *Task) verdict {
	check := func(*msgQueue) unix.Errno { return 0 }
	return ipcGet(k, t, &k.msgs, check, func() (*msgQueue, unix.Errno) {
		return &msgQueue{limit: msgQueueBytes, ctime: k.seconds()}, 0
	})
}

// msgsnd(2).
func sysMsgsnd(k *Kernel, t *Task) verdict {
	kind, ok := t.readU64(t.arg(1))
	if !ok {
		return t.fail(unix.EFAULT)
	}
	id, size := t.intArg(0), t.arg(2)
	if size > msgMax || id < 0 || int64(kind) < 1 {
		return t.fail(unix.EINVAL)
	}
	m := &message{int64(kind), make([]byte, size)}
	if size > 0 && !t.read(t.arg(1)+8, m.text) {
		return t.fail(unix.EFAULT)
	}
	q, ok := k.msgs.byID(id)
	if !ok {
		return t.fail(unix.EINVAL)
	}
	if !k.ipcAllowed(t, &q.ipcPerm, ipcWrite) {
		return t.fail(unix.EACCES)
	}
	if q.fits(len(m.text)) {
		k.msgPut(q, m, t.proc.vpid)
		return t.done(0)
	}
	if t.intArg(3)&ipcNowait != 0 {
		return t.fail(unix.EAGAIN)
	}
	w := &msgSender{queue: q, task: t, msg: m}
	q.senders = append(q.senders, w)
	return k.standIn(t, "room in message queue "+itoa(id), w, 0, erestartNoHand, func() verdict { return t.done(-int64(w.errno)) })
}

// msgrcv(2).
func sysMsgrcv(k *Kernel, t *Task) verdict {
	id, size, flags := t.intArg(0), t.arg(2), t.intArg(4)
	if id < 0 || int64(size) < 0 {
		return t.fail(unix.EINVAL)
	}
	if flags&msgCopy != 0 && (flags&msgExcept != 0 || flags&ipcNowait == 0) {
		return t.fail(unix.EINVAL)
	}
	q, ok := k.msgs.byID(id)
	if !ok {
		return t.fail(unix.EINVAL)
	}
	if !k.ipcAllowed(t, &q.ipcPerm, ipcRead) {
		return t.fail(unix.EACCES)
	}
	pick := newMsgPick(int64(t.arg(3)), flags)
	if m := q.find(pick); m != nil {
		n := uint64(len(m.text))
		switch {
		case size < n && flags&msgNoError == 0:
			return t.fail(unix.E2BIG)
		case flags&msgCopy == 0:
			k.msgTake(q, m, t.proc.vpid)
		case size < n:
			return t.fail(unix.EINVAL)
		}
		return t.giveMessage(m)
	}
	if flags&ipcNowait != 0 {
		return t.fail(unix.ENOMSG)
	}
	w := &msgReceiver{queue: q, task: t, pick: pick, room: size}
	if flags&msgNoError != 0 {
		w.room = math.MaxInt64
	}
	q.receivers = append(q.receivers, w)
	return k.standIn(t, "a message in queue "+itoa(id), w, 0, erestartNoHand, func() verdict {
		if w.errno != 0 {
			return t.fail(w.errno)
		}
		return t.giveMessage(w.msg)
	})
}

// giveMessage ends a msgrcv(2): a message that cannot be stored is lost, as
// in the kernel.
func (t *Task) giveMessage(m *message) verdict {
	text := m.text[:min(uint64(len(m.text)), t.arg(2))]
	if !t.writeU64(t.arg(1), uint64(m.kind)) || len(text) > 0 && !t.write(t.arg(1)+8, text) {
		return t.fail(unix.EFAULT)
	}
	return t.done(int64(len(text)))
}
