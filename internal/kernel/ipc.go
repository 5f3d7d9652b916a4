package kernel

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"golang.org/x/sys/unix"
)

// System V semaphores and message queues are the supervisor's alone: the
// kernel's would sleep with the turn, and serve waiters at its own moments.
// Shared memory is the kernel's, see sys_shm.go.

// Commands and flags of sysvipc(7) (linux/ipc.h).
const (
	ipcCreat  = 0o1000
	ipcExcl   = 0o2000
	ipcNowait = 0o4000

	ipcRmid = 0
	ipcSet  = 1
	ipcStat = 2
	ipcInfo = 3

	ipcRead, ipcWrite = 0o444, 0o222
)

// ipcMax is the number of objects of each kind (SEMMNI, MSGMNI).
const ipcMax = 32000

// ipcPerm is struct ipc_perm with the object's id.
type ipcPerm struct {
	id                   int
	key                  int32
	uid, gid, cuid, cgid uint32
	mode                 uint32
	seq                  uint16
}

func (p *ipcPerm) perm() *ipcPerm { return p }

type ipcObject interface {
	comparable
	perm() *ipcPerm
}

// ipcIDs numbers objects as the kernel does: cyclically through at least 64
// slots, with a sequence number that grows on each round (ipc/util.c).
type ipcIDs[T ipcObject] struct {
	slots     []T // by index; nil where free
	inUse     int
	next, seq int
	last      int // slot used last, plus 1
}

const (
	ipcShift    = 15 // of the sequence number in an id
	ipcSeqMax   = math.MaxInt32 >> ipcShift
	ipcMinCycle = 64
)

// add gives o an id.
func (s *ipcIDs[T]) add(o T) {
	limit := min(max(s.inUse*3/2, ipcMinCycle), 1<<ipcShift)
	i, ok := s.free(s.next, limit)
	if !ok {
		i, _ = s.free(0, limit)
	}
	if i < s.last {
		if s.seq++; s.seq >= ipcSeqMax {
			s.seq = 0
		}
	}
	s.last, s.next = i+1, i+1
	for len(s.slots) <= i {
		var none T
		s.slots = append(s.slots, none)
	}
	s.slots[i] = o
	s.inUse++
	p := o.perm()
	p.seq, p.id = uint16(s.seq), s.seq<<ipcShift+i
}

func (s *ipcIDs[T]) free(from, limit int) (int, bool) {
	var none T
	for i := from; i < limit; i++ {
		if i >= len(s.slots) || s.slots[i] == none {
			return i, true
		}
	}
	return 0, false
}

func (s *ipcIDs[T]) remove(o T) {
	var none T
	s.slots[o.perm().id&(1<<ipcShift-1)] = none
	s.inUse--
}

// byID finds an object; stale ids are those of an earlier round.
func (s *ipcIDs[T]) byID(id int) (T, bool) {
	o, ok := s.bySlot(id & (1<<ipcShift - 1))
	if id < 0 || !ok || o.perm().id != id {
		var none T
		return none, false
	}
	return o, true
}

func (s *ipcIDs[T]) bySlot(i int) (T, bool) {
	var none T
	if i < 0 || i >= len(s.slots) || s.slots[i] == none {
		return none, false
	}
	return s.slots[i], true
}

// byKey finds the object of a key; IPC_PRIVATE (0) finds none.
func (s *ipcIDs[T]) byKey(key int32) (T, bool) {
	var none T
	if key == 0 {
		return none, false
	}
	for _, o := range s.slots {
		if o != none && o.perm().key == key {
			return o, true
		}
	}
	return none, false
}

// maxSlot is the highest slot in use, or 0, as the *_INFO commands return it.
func (s *ipcIDs[T]) maxSlot() int {
	for i := len(s.slots) - 1; i > 0; i-- {
		if _, ok := s.bySlot(i); ok {
			return i
		}
	}
	return 0
}

// ipcGet is the common part of semget(2) and msgget(2) (ipcget_public):
// check looks at an object that exists, create makes one.
func ipcGet[T ipcObject](k *Kernel, t *Task, s *ipcIDs[T], check func(T) unix.Errno, create func() (T, unix.Errno)) verdict {
	key, flags := int32(t.arg(0)), t.ipcFlags()
	if o, ok := s.byKey(key); ok {
		if flags&ipcCreat != 0 && flags&ipcExcl != 0 {
			return t.fail(unix.EEXIST)
		}
		if e := check(o); e != 0 {
			return t.fail(e)
		}
		if !k.ipcAllowed(t, o.perm(), uint32(flags)) {
			return t.fail(unix.EACCES)
		}
		return t.done(int64(o.perm().id))
	}
	if key != 0 && flags&ipcCreat == 0 {
		return t.fail(unix.ENOENT)
	}
	o, e := create()
	if e != 0 {
		return t.fail(e)
	}
	if s.inUse >= ipcMax {
		return t.fail(unix.ENOSPC)
	}
	c := k.cred(t)
	p := o.perm()
	p.key, p.mode = key, uint32(flags)&0o777
	p.uid, p.cuid, p.gid, p.cgid = c.euid, c.euid, c.egid, c.egid
	s.add(o)
	return t.done(int64(p.id))
}

// ipcFlags is the last argument of semget(2) and msgget(2).
func (t *Task) ipcFlags() int {
	if t.callNr == unix.SYS_MSGGET {
		return t.intArg(1)
	}
	return t.intArg(2)
}

// ipcAllowed checks the access that mode asks for (ipcperms).
func (k *Kernel) ipcAllowed(t *Task, p *ipcPerm, mode uint32) bool {
	c := k.cred(t)
	granted := p.mode
	switch {
	case c.euid == p.cuid || c.euid == p.uid:
		granted >>= 6
	case c.inGroup(p.cgid) || c.inGroup(p.gid):
		granted >>= 3
	}
	want := mode>>6 | mode>>3 | mode
	return want&^granted&7 == 0 || c.euid == 0 // CAP_IPC_OWNER
}

// ipcOwned checks the right to change or remove an object.
func (k *Kernel) ipcOwned(t *Task, p *ipcPerm) bool {
	e := k.cred(t).euid
	return e == p.cuid || e == p.uid || e == 0 // CAP_SYS_ADMIN
}

// setOwner takes owner and mode from the struct ipc64_perm in b (IPC_SET).
func (p *ipcPerm) setOwner(b []byte) unix.Errno {
	uid, gid := getU32(b[4:]), getU32(b[8:])
	if uid > 65535 || gid > 65535 { // not mapped, see package sandbox
		return unix.EINVAL
	}
	p.uid, p.gid = uid, gid
	p.mode = p.mode&^0o777 | getU32(b[20:])&0o777
	return 0
}

// append adds the struct ipc64_perm of 48 bytes.
func (p *ipcPerm) append(b []byte) []byte {
	for _, v := range []uint32{uint32(p.key), p.uid, p.gid, p.cuid, p.cgid, p.mode, uint32(p.seq), 0} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, make([]byte, 16)...)
}

// credentials are what permission checks of our own look at, in the guest's ids.
type credentials struct {
	uid, euid, egid, fsgid uint32
	groups                 []uint32
}

func (c *credentials) inGroup(g uint32) bool {
	if c.fsgid == g {
		return true
	}
	for _, x := range c.groups {
		if x == g {
			return true
		}
	}
	return false
}

// cred gives t's credentials. They are kept until t changes its ids: execve(2)
// cannot, because set-id bits are without effect.
func (k *Kernel) cred(t *Task) *credentials {
	if t.cred != nil {
		return t.cred
	}
	c := &credentials{groups: t.proc.groups}
	if !k.cfg.SingleID {
		uids, gids := idMap(k.root.pid, "uid_map"), idMap(k.root.pid, "gid_map")
		c.groups = nil
		b, _ := readStatus(t.tid)
		if f := statusIDs(b, "Uid:\t"); len(f) == 4 {
			c.uid, c.euid = toGuest(uids, f[0]), toGuest(uids, f[1])
		}
		if f := statusIDs(b, "Gid:\t"); len(f) == 4 {
			c.egid, c.fsgid = toGuest(gids, f[1]), toGuest(gids, f[3])
		}
		for _, g := range statusIDs(b, "Groups:\t") {
			c.groups = append(c.groups, toGuest(gids, g))
		}
	}
	t.cred = c
	return c
}

func statusIDs(b []byte, key string) []uint32 {
	i := indexLine(b, key)
	if i < 0 {
		return nil
	}
	line, _, _ := bytes.Cut(b[i+len(key):], []byte("\n"))
	var out []uint32
	for _, f := range bytes.Fields(line) {
		v, _ := strconv.ParseUint(string(f), 10, 32)
		out = append(out, uint32(v))
	}
	return out
}

// idRange is a line of user_namespaces(7)'s uid_map.
type idRange struct{ inside, outside, n uint32 }

func idMap(pid int, name string) []idRange {
	b, err := readProc("/proc/" + strconv.Itoa(pid) + "/" + name)
	if err != nil {
		return nil
	}
	var out []idRange
	for _, l := range bytes.Split(b, []byte("\n")) {
		f := bytes.Fields(l)
		if len(f) != 3 {
			continue
		}
		var v [3]uint32
		for i := range v {
			x, _ := strconv.ParseUint(string(f[i]), 10, 32)
			v[i] = uint32(x)
		}
		out = append(out, idRange{v[0], v[1], v[2]})
	}
	return out
}

// overflowID stands for what is not mapped (/proc/sys/kernel/overflowuid).
const overflowID = 65534

func toGuest(m []idRange, id uint32) uint32 {
	for _, r := range m {
		if id >= r.outside && id-r.outside < r.n {
			return r.inside + id - r.outside
		}
	}
	return overflowID
}

// seconds is the time that System V objects carry.
func (k *Kernel) seconds() int64 { s, _ := splitNS(k.Now()); return s }
