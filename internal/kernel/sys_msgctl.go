package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Commands of msgctl(2) (linux/msg.h).
const (
	msgStat    = 11
	msgInfo    = 12
	msgStatAny = 13
)

// msgctl(2).
func sysMsgctl(k *Kernel, t *Task) verdict {
	id, cmd, arg := t.intArg(0), t.intArg(1), t.arg(2)
	if id < 0 || cmd < 0 {
		return t.fail(unix.EINVAL)
	}
	switch cmd {
	case ipcInfo, msgInfo:
		return k.msgInfo(t, cmd, arg)
	case msgStat, msgStatAny:
		q, ok := k.msgs.bySlot(id)
		if !ok {
			return t.fail(unix.EINVAL)
		}
		if cmd == msgStat && !k.ipcAllowed(t, &q.ipcPerm, ipcRead) {
			return t.fail(unix.EACCES)
		}
		if !t.write(arg, q.ds()) {
			return t.fail(unix.EFAULT)
		}
		return t.done(int64(q.id))
	case ipcStat, ipcSet, ipcRmid:
	default:
		return t.fail(unix.EINVAL)
	}
	in := make([]byte, msgDsSize)
	if cmd == ipcSet && !t.read(arg, in) {
		return t.fail(unix.EFAULT)
	}
	q, ok := k.msgs.byID(id)
	if !ok {
		return t.fail(unix.EINVAL)
	}
	if cmd == ipcStat {
		if !k.ipcAllowed(t, &q.ipcPerm, ipcRead) {
			return t.fail(unix.EACCES)
		}
		if !t.write(arg, q.ds()) {
			return t.fail(unix.EFAULT)
		}
		return t.done(0)
	}
	if !k.ipcOwned(t, &q.ipcPerm) {
		return t.fail(unix.EPERM)
	}
	if cmd == ipcRmid {
		k.msgRemove(q)
		return t.done(0)
	}
	return k.msgSet(t, q, in)
}

// msgSet is IPC_SET: receivers may have lost their right, senders may have room.
func (k *Kernel) msgSet(t *Task, q *msgQueue, in []byte) verdict {
	limit := binary.LittleEndian.Uint64(in[88:])
	if limit > msgQueueBytes { // needs CAP_SYS_RESOURCE outside of any container
		k.refuse(t, "msgctl: a queue of more than 16384 bytes", unix.EPERM)
		return t.fail(unix.EPERM)
	}
	if e := q.setOwner(in); e != 0 {
		return t.fail(e)
	}
	q.limit, q.ctime = limit, k.seconds()
	for _, w := range append([]*msgReceiver(nil), q.receivers...) {
		if !k.ipcAllowed(w.task, &q.ipcPerm, ipcRead) {
			k.msgWakeReceiver(w, nil, unix.EACCES)
		}
	}
	for _, w := range append([]*msgSender(nil), q.senders...) {
		if !k.ipcAllowed(w.task, &q.ipcPerm, ipcWrite) {
			k.msgWakeSender(w, unix.EACCES)
		}
	}
	k.msgRoom(q)
	return t.done(0)
}

// msgInfo answers IPC_INFO and MSG_INFO with struct msginfo.
func (k *Kernel) msgInfo(t *Task, cmd int, arg uint64) verdict {
	const size, segments = 16, 0xffff
	pool, hdrs, total := uint32(ipcMax*msgQueueBytes/1024), uint32(msgQueueBytes), uint32(msgQueueBytes)
	if cmd == msgInfo {
		pool, hdrs, total = uint32(k.msgs.inUse), uint32(k.msgCount), uint32(k.msgBytes)
	}
	if !t.writeU32(arg, pool, hdrs, msgMax, msgQueueBytes, ipcMax, size, total, segments) {
		return t.fail(unix.EFAULT)
	}
	return t.done(int64(k.msgs.maxSlot()))
}

const msgDsSize = 120

// ds is struct msqid64_ds.
func (q *msgQueue) ds() []byte {
	b := q.ipcPerm.append(make([]byte, 0, msgDsSize))
	for _, v := range []uint64{uint64(q.stime), uint64(q.rtime), uint64(q.ctime), q.bytes, uint64(len(q.messages)), q.limit,
		uint64(uint32(q.lspid)) | uint64(q.lrpid)<<32, 0, 0} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}
