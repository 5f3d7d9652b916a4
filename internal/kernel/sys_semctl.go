package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Commands of semctl(2) (linux/sem.h).
const (
	semGetPid  = 11
	semGetVal  = 12
	semGetAll  = 13
	semGetNcnt = 14
	semGetZcnt = 15
	semSetVal  = 16
	semSetAll  = 17
	semStat    = 18
	semInfo    = 19
	semStatAny = 20
)

// semctl(2).
func sysSemctl(k *Kernel, t *Task) verdict {
	id, cmd, arg := t.intArg(0), t.intArg(2), t.arg(3)
	if id < 0 {
		return t.fail(unix.EINVAL)
	}
	switch cmd {
	case ipcInfo, semInfo:
		return k.semInfo(t, cmd, arg)
	case semStat, semStatAny:
		s, ok := k.sems.bySlot(id)
		if !ok {
			return t.fail(unix.EINVAL)
		}
		if cmd == semStat && !k.ipcAllowed(t, &s.ipcPerm, ipcRead) {
			return t.fail(unix.EACCES)
		}
		if !t.write(arg, s.ds()) {
			return t.fail(unix.EFAULT)
		}
		return t.done(int64(s.id))
	case ipcStat, ipcSet, ipcRmid, semGetPid, semGetVal, semGetAll, semGetNcnt, semGetZcnt, semSetVal, semSetAll:
	default:
		return t.fail(unix.EINVAL)
	}
	in := make([]byte, semDsSize)
	if cmd == ipcSet && !t.read(arg, in) {
		return t.fail(unix.EFAULT)
	}
	if v := int32(arg); cmd == semSetVal && (v < 0 || v > semValMax) {
		return t.fail(unix.ERANGE)
	}
	s, ok := k.sems.byID(id)
	if !ok {
		return t.fail(unix.EINVAL)
	}
	switch cmd {
	case ipcStat:
		if !k.ipcAllowed(t, &s.ipcPerm, ipcRead) {
			return t.fail(unix.EACCES)
		}
		if !t.write(arg, s.ds()) {
			return t.fail(unix.EFAULT)
		}
		return t.done(0)
	case ipcSet, ipcRmid:
		if !k.ipcOwned(t, &s.ipcPerm) {
			return t.fail(unix.EPERM)
		}
		if cmd == ipcRmid {
			k.semRemove(s)
			return t.done(0)
		}
		if e := s.setOwner(in); e != 0 {
			return t.fail(e)
		}
		s.ctime = k.seconds()
		return t.done(0)
	}
	return k.semValues(t, s, cmd, arg)
}

// semValues are the commands about one or all semaphores of a set.
func (k *Kernel) semValues(t *Task, s *semSet, cmd int, arg uint64) verdict {
	n := t.intArg(1)
	bad := n < 0 || n >= len(s.sems)
	if cmd == semSetVal && bad {
		return t.fail(unix.EINVAL)
	}
	mode := uint32(ipcRead)
	if cmd == semSetVal || cmd == semSetAll {
		mode = ipcWrite
	}
	if !k.ipcAllowed(t, &s.ipcPerm, mode) {
		return t.fail(unix.EACCES)
	}
	switch cmd {
	case semGetAll:
		b := make([]byte, 0, 2*len(s.sems))
		for _, x := range s.sems {
			b = binary.LittleEndian.AppendUint16(b, uint16(x.val))
		}
		if !t.write(arg, b) {
			return t.fail(unix.EFAULT)
		}
		return t.done(0)
	case semSetAll:
		return k.semSetAll(t, s, arg)
	}
	if bad {
		return t.fail(unix.EINVAL)
	}
	switch cmd {
	case semSetVal:
		for _, a := range s.undos {
			a.by[n] = 0
		}
		s.sems[n] = semaphore{int(int32(arg)), t.proc.vpid}
		s.ctime = k.seconds()
		k.semChanged(s)
		return t.done(0)
	case semGetPid:
		return t.done(int64(s.sems[n].pid))
	case semGetNcnt:
		return t.done(int64(countBlocked(s.alter, n, false) + countBlocked(s.zero, n, false)))
	case semGetZcnt:
		return t.done(int64(countBlocked(s.alter, n, true) + countBlocked(s.zero, n, true)))
	}
	return t.done(int64(s.sems[n].val))
}

func (k *Kernel) semSetAll(t *Task, s *semSet, arg uint64) verdict {
	b := make([]byte, 2*len(s.sems))
	if !t.read(arg, b) {
		return t.fail(unix.EFAULT)
	}
	for i := range s.sems {
		if binary.LittleEndian.Uint16(b[2*i:]) > semValMax {
			return t.fail(unix.ERANGE)
		}
	}
	for i := range s.sems {
		s.sems[i] = semaphore{int(binary.LittleEndian.Uint16(b[2*i:])), t.proc.vpid}
	}
	for _, a := range s.undos {
		clear(a.by)
	}
	s.ctime = k.seconds()
	k.semChanged(s)
	return t.done(0)
}

// countBlocked counts who waits for semaphore n to grow, or to become zero.
func countBlocked(list []*semWaiter, n int, zero bool) int {
	c := 0
	for _, w := range list {
		if w.blocking.num == n && (w.blocking.op == 0) == zero {
			c++
		}
	}
	return c
}

// semInfo answers IPC_INFO and SEM_INFO with struct seminfo.
func (k *Kernel) semInfo(t *Task, cmd int, arg uint64) verdict {
	size, used := uint32(20), uint32(semValMax)
	if cmd == semInfo {
		size, used = uint32(k.sems.inUse), uint32(k.semsUsed)
	}
	if !t.writeU32(arg, semTotal, ipcMax, semTotal, semTotal, semPerSet, semOpMax, semOpMax, size, semValMax, used) {
		return t.fail(unix.EFAULT)
	}
	return t.done(int64(k.sems.maxSlot()))
}

const semDsSize = 104

// ds is struct semid64_ds.
func (s *semSet) ds() []byte {
	b := s.ipcPerm.append(make([]byte, 0, semDsSize))
	for _, v := range []uint64{uint64(s.otime), 0, uint64(s.ctime), 0, uint64(len(s.sems)), 0, 0} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}
