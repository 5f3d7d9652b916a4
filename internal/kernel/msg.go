package kernel

import (
	"math"

	"golang.org/x/sys/unix"
)

// Limits of message queues (linux/msg.h): the kernel's defaults.
const (
	msgMax        = 8192  // bytes of one message
	msgQueueBytes = 16384 // bytes of a queue
)

// msgQueue is a System V message queue.
type msgQueue struct {
	ipcPerm
	messages            []*message
	bytes, limit        uint64
	stime, rtime, ctime int64 // s
	lspid, lrpid        int
	senders             []*msgSender
	receivers           []*msgReceiver
}

type message struct {
	kind int64
	text []byte
}

// msgSender is a msgsnd(2) that waits for room.
type msgSender struct {
	queue *msgQueue
	task  *Task
	msg   *message
	done  bool
	errno unix.Errno
}

func (w *msgSender) served() bool { return w.done }
func (w *msgSender) leave()       { w.queue.senders = without(w.queue.senders, w) }

// msgReceiver is a msgrcv(2) that waits for a message.
type msgReceiver struct {
	queue *msgQueue
	task  *Task
	pick  msgPick
	room  uint64 // the largest message it takes; MSG_NOERROR takes all
	msg   *message
	done  bool
	errno unix.Errno
}

func (w *msgReceiver) served() bool { return w.done }
func (w *msgReceiver) leave()       { w.queue.receivers = without(w.queue.receivers, w) }

// msgPick says which message a msgrcv(2) wants (convert_mode).
type msgPick struct {
	mode msgMode
	kind int64
}

type msgMode uint8

const (
	msgAny msgMode = iota
	msgNumber
	msgEqual
	msgNotEqual
	msgLessEqual
)

func newMsgPick(kind int64, flags int) msgPick {
	switch {
	case flags&msgCopy != 0:
		return msgPick{msgNumber, kind}
	case kind == 0:
		return msgPick{msgAny, 0}
	case kind == math.MinInt64:
		return msgPick{msgLessEqual, math.MaxInt64}
	case kind < 0:
		return msgPick{msgLessEqual, -kind}
	case flags&msgExcept != 0:
		return msgPick{msgNotEqual, kind}
	}
	return msgPick{msgEqual, kind}
}

func (p msgPick) takes(m *message) bool {
	switch p.mode {
	case msgEqual:
		return m.kind == p.kind
	case msgNotEqual:
		return m.kind != p.kind
	case msgLessEqual:
		return m.kind <= p.kind
	}
	return true
}

// find gives the message that p means: the first, for msgLessEqual the first
// of the lowest type.
func (q *msgQueue) find(p msgPick) *message {
	var best *message
	for i, m := range q.messages {
		switch {
		case p.mode == msgNumber:
			if int64(i) == p.kind {
				return m
			}
		case !p.takes(m):
		case p.mode != msgLessEqual:
			return m
		case best == nil || m.kind < best.kind:
			best = m
		}
	}
	return best
}

func (q *msgQueue) fits(n int) bool {
	return uint64(n)+q.bytes <= q.limit && uint64(len(q.messages))+1 <= q.limit
}

// msgPut gives a message to the receiver that waits for it longest, or to the
// queue. A receiver whose buffer is too small fails with E2BIG.
func (k *Kernel) msgPut(q *msgQueue, m *message, pid int) {
	q.lspid, q.stime = pid, k.seconds()
	for i := 0; i < len(q.receivers); {
		w := q.receivers[i]
		if !w.pick.takes(m) {
			i++
			continue
		}
		if uint64(len(m.text)) > w.room {
			k.msgWakeReceiver(w, nil, unix.E2BIG)
			continue
		}
		q.lrpid, q.rtime = w.task.proc.vpid, k.seconds()
		k.msgWakeReceiver(w, m, 0)
		return
	}
	q.messages = append(q.messages, m)
	q.bytes += uint64(len(m.text))
	k.msgBytes += len(m.text)
	k.msgCount++
}

func (k *Kernel) msgWakeReceiver(w *msgReceiver, m *message, e unix.Errno) {
	w.leave()
	w.msg, w.errno, w.done = m, e, true
	k.sched.Wake(w.task.th)
}

func (k *Kernel) msgWakeSender(w *msgSender, e unix.Errno) {
	w.leave()
	w.errno, w.done = e, true
	k.sched.Wake(w.task.th)
}

// msgTake removes a message, and lets in those who waited for its room, in
// order of arrival.
func (k *Kernel) msgTake(q *msgQueue, m *message, pid int) {
	q.lrpid, q.rtime = pid, k.seconds()
	q.messages = without(q.messages, m)
	q.bytes -= uint64(len(m.text))
	k.msgBytes -= len(m.text)
	k.msgCount--
	k.msgRoom(q)
}

func (k *Kernel) msgRoom(q *msgQueue) {
	for i := 0; i < len(q.senders); {
		w := q.senders[i]
		if !q.fits(len(w.msg.text)) {
			i++
			continue
		}
		k.msgWakeSender(w, 0)
		k.msgPut(q, w.msg, w.task.proc.vpid)
	}
}

// msgRemove ends a queue: everybody who waits gets EIDRM.
func (k *Kernel) msgRemove(q *msgQueue) {
	k.msgs.remove(q)
	k.msgBytes -= int(q.bytes)
	k.msgCount -= len(q.messages)
	for len(q.receivers) > 0 {
		k.msgWakeReceiver(q.receivers[0], nil, unix.EIDRM)
	}
	for len(q.senders) > 0 {
		k.msgWakeSender(q.senders[0], unix.EIDRM)
	}
}
