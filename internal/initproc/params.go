package initproc

import (
	"encoding/binary"
	"strconv"
)

// Descriptors at which the program expects its files. 0, 1 and 2 are the
// guest's.
const (
	ControlFD = 3 // SOCK_SEQPACKET, shared by pid 1 and pid 2
	LastPidFD = 4 // /proc/sys/kernel/ns_last_pid of the guest's pid namespace
)

// Params is what the program is told.
type Params struct {
	UID, GID  uint32
	Groups    []uint32
	SetGroups bool    // false where the user namespace denies setgroups(2)
	ChildCaps uint64  // capabilities of pid 2 while it is uid 0, as a bit set
	InitCaps  uint64  // capabilities pid 1 keeps
	FirstPid  int     // number of pid 2, if it shall be another; 0: 2
	Script    *Script // what comes before pid 2; nil: nothing
}

// Offsets in the parameter block; the same numbers are in init_amd64.s.
const (
	offCtl      = 0
	offLastPid  = 8
	offUID      = 16
	offGID      = 24
	offNGroups  = 32
	offFlags    = 40
	offCapHdr   = 48
	offCapChild = 56
	offCapInit  = 80
	offOne      = 104
	offName     = 112
	offOneLen   = 224
	offFirst    = 232
	offStep     = 240
	offStepEnd  = 248
	offSigIgn   = 152
	offGroups   = 256

	flagSetGroups = 1

	capVersion3 = 0x20080522 // _LINUX_CAPABILITY_VERSION_3
	sigIgn      = 1
)

// encode lays the parameter block out.
func (p *Params) encode() []byte {
	b := make([]byte, offGroups+4*len(p.Groups))
	le := binary.LittleEndian
	le.PutUint64(b[offCtl:], ControlFD)
	le.PutUint64(b[offLastPid:], LastPidFD)
	le.PutUint64(b[offUID:], uint64(p.UID))
	le.PutUint64(b[offGID:], uint64(p.GID))
	le.PutUint64(b[offNGroups:], uint64(len(p.Groups)))
	if p.SetGroups {
		le.PutUint64(b[offFlags:], flagSetGroups)
	}
	le.PutUint32(b[offCapHdr:], capVersion3)
	putCaps(b[offCapChild:], p.ChildCaps)
	putCaps(b[offCapInit:], p.InitCaps)
	first := max(p.FirstPid, 2)
	le.PutUint64(b[offOneLen:], uint64(copy(b[offOne:offName-1], strconv.Itoa(first-1))))
	le.PutUint64(b[offFirst:], uint64(first))
	copy(b[offName:], "init")
	le.PutUint64(b[offSigIgn:], sigIgn)
	le.PutUint64(b[offStep:], p.Script.first())
	le.PutUint64(b[offStepEnd:], p.Script.end())
	for i, g := range p.Groups {
		le.PutUint32(b[offGroups+4*i:], g)
	}
	return b
}

// putCaps writes the two struct __user_cap_data_struct of capset(2):
// effective and permitted are set, inheritable is empty.
func putCaps(b []byte, set uint64) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(set))
	le.PutUint32(b[4:], uint32(set))
	le.PutUint32(b[12:], uint32(set>>32))
	le.PutUint32(b[16:], uint32(set>>32))
}
