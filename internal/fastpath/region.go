package fastpath

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"dettrace/internal/cpu"
	"dettrace/internal/fault"
)

// Facts are the constants of a container that corrections need.
type Facts struct {
	FuseDev, TreeDev    uint64     // st_dev of our file system, and of its main volume for the guest
	ImageIno, VolumeIno uint64     // inode numbers >= ImageIno and < VolumeIno are of the main volume
	NullDev, NullIno    uint64     // st_dev and st_ino of /dev/null, for the guest
	Epoch               int64      // and its times, ns since 1970
	HostTime            bool       // clocks are not ours to tell
	MemTotal, MemFree   uint64     // of the machine, bytes; 0: not to be told here
	Random              bool       // each image has other addresses
	Signals             bool       // some come from outside, at any instruction
	SingleID            bool       // the kernel knows one owner only: others are given by the supervisor
	Stdio               []uint64   // inode numbers of the pipes to the host, at most three
	CPUID               []cpu.Leaf // what cpuid answers
	XCR0                uint64     // and xgetbv
}

// Region is the supervisor's side of the region of one container.
type Region struct {
	mem    []byte
	state  state
	armed  uint64 // the budget that the guest got
	stubs  int
	vforks int                // stubs of it
	sites  map[uint64][]*Site // by address, in order of creation
	addrs  []uint64           // those addresses, sorted
	seen   map[uint64]int     // stops at addresses without a site
	// places are the sites that were found, by the file's inode number.
	places map[uint64][]place
	// classes is what the guest was given at first.
	classes [maxCalls]Class
	random  bool               // see Facts
	knows   bool               // what Know was told last
	lost    bool               // the guest has cut the file off
	looks   map[uint64][]*Site // instructions that look at the CPU, by address
	xcr0    uint64

	file      int    // our own descriptor of it
	taken     int    // words of the random stream
	futexes   uint64 // what Futexes stored last
	texts     []*Text
	textBytes uint64
	clean     []uint64 // by entry of the table: the file that needs no copy, or 0
}

// New fills the file that the guest's processes map. It keeps a mapping for as
// long as we live, so that a late access cannot fault.
func New(f *os.File, facts Facts) (*Region, error) {
	mem, err := mapFile(f)
	if err != nil {
		return nil, err
	}
	file, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("hold the fast paths: %w", err)
	}
	r := &Region{mem: mem, state: state{mem[TextSize:]}, sites: map[uint64][]*Site{}, seen: map[uint64]int{}, xcr0: facts.XCR0, file: file, taken: RandomWords, random: facts.Random}
	copy(mem, text(codeAddr()))
	copy(mem[accessOffset:], "system.posix_acl_access\x00")
	copy(mem[defaultOffset:], "system.posix_acl_default\x00")
	copy(mem[tscOffset:], text(tscAddr()))
	copy(mem[cpuidOffset:], text(cpuidAddr()))
	copy(mem[clocksOffset:], text(clocksAddr()))
	leaves := cpuTable(Base+leavesOffset, facts.CPUID)
	if len(leaves) > pointerOffset-leavesOffset {
		return nil, fmt.Errorf("fast paths: %d leaves of cpuid: %w", len(facts.CPUID), unix.E2BIG)
	}
	copy(mem[leavesOffset:], leaves)
	for _, c := range table() {
		if facts.HostTime && c.class >= Clock && c.class < GetCPU {
			continue
		}
		if c.class == Sysinfo && (facts.HostTime || facts.MemTotal == 0) {
			continue
		}
		if facts.SingleID && (c.class == OwnerSI || c.class == OwnerDX) {
			continue
		}
		if facts.Signals && (c.class == Birth || c.class == Vfork) { // no signal can be delivered between its call and its end
			continue
		}
		mem[classOffset+c.nr] = byte(c.class)
		r.classes[c.nr] = c.class
	}
	r.state.word(offFuseDev).Store(facts.FuseDev)
	r.state.word(offFuseMinor).Store(uint64(unix.Minor(facts.FuseDev)))
	r.state.word(offTreeDev).Store(facts.TreeDev)
	r.state.word(offImageIno).Store(facts.ImageIno)
	r.state.word(offVolumeIno).Store(facts.VolumeIno)
	r.state.word(offMemTotal).Store(facts.MemTotal)
	r.state.word(offMemFree).Store(facts.MemFree)
	r.state.word(offNullDev).Store(facts.NullDev)
	r.state.word(offNullIno).Store(facts.NullIno)
	sec, ns := facts.Epoch/1e9, facts.Epoch%1e9
	if ns < 0 {
		sec, ns = sec-1, ns+1e9
	}
	r.state.word(offEpoch).Store(uint64(sec))
	r.state.word(offEpoch + 8).Store(uint64(ns))
	r.state.word(offRandomPos).Store(RandomWords)
	for i, ino := range facts.Stdio[:min(len(facts.Stdio), 3)] {
		r.state.word(offStdio + 8*i).Store(ino)
	}
	return r, nil
}

// Close gives up our descriptor of the file. The mapping stays.
func (r *Region) Close() error { return unix.Close(r.file) }

// guard runs f, which touches the mapping. The guest can open the file and cut
// it off: then an access raises SIGBUS. The region is lost from there on, to the
// guest's processes as well, which is their own doing.
func (r *Region) guard(f func()) {
	if r.lost {
		return
	}
	r.lost = !fault.Survive(f)
}

// Arm lets the next thread make up to n calls that are served. It is now, in ns
// since 1970, and tsc since the boot; each call takes tick. The thread is on cpu.
func (r *Region) Arm(n int, now, tsc, tick int64, cpu int) {
	r.guard(func() {
		r.armed = uint64(max(n, 0))
		r.state.word(offNow).Store(uint64(now))
		r.state.word(offTSC).Store(uint64(tsc))
		r.state.word(offTick).Store(uint64(tick))
		r.state.word(offCPU).Store(uint64(cpu))
		r.state.word(offBudget).Store(r.armed)
	})
}

// Served is the number of calls served since the last Served or Arm, at most
// the budget whatever the guest wrote there.
func (r *Region) Served() (n int) {
	r.guard(func() {
		if w := r.state.word(offServed); w.Load() != 0 {
			n = int(min(w.Swap(0), r.armed))
		}
	})
	return n
}

// SyscallAddr is where in every process that has the region a system call
// instruction is.
func (r *Region) SyscallAddr() uint64 {
	return Base + uint64(bytes.Index(text(codeAddr()), []byte{0x0f, 0x05}))
}

// NoOpen ends the serving of calls that open files.
func (r *Region) NoOpen() { r.guard(func() { r.state.word(offNoOpen).Store(1) }) }

// Serves reports whether call nr is of those that the region serves.
func (r *Region) Serves(nr int) bool {
	return !r.lost && nr >= 0 && nr < len(r.classes) && r.classes[nr] != Leave
}

// Makes reports whether call nr is made by the code.
func (r *Region) Makes(nr int) bool {
	if nr == statx || nr == poll {
		return true
	}
	if !r.Serves(nr) {
		return false
	}
	switch r.classes[nr] {
	case Vfork, Clock, TimeOfDay, Time, Futex, GetCPU, Random, WaitNone, Yield:
		return false // by the stub, or answered from the state
	}
	return true
}

// ServedOffset is where in the file the count of served calls is, 8 bytes, for
// the file system server.
const ServedOffset = TextSize + offServed

// InCode reports whether rip is in the code that serves, outside the stubs.
func InCode(rip uint64) bool { return rip >= Base && rip < Base+classOffset }

// InStub reports whether rip is in a stub.
func InStub(rip uint64) bool { return rip >= Base+stubOffset && rip < Base+TextSize }

// newStub writes the stub of s into the region; false says that there is no room.
func (r *Region) newStub(s *Site, k kind) bool {
	own := k == fixedCall && binary.LittleEndian.Uint32(s.Old[1:]) == vfork && r.vforks < maxVforks
	room := r.room
	if own {
		room = r.vforkRoom
	}
	i, at, ok := room()
	if !ok {
		return false
	}
	start := stubStart(at, s, k)
	code := stub(at, s, k)
	if own {
		code = append(code, make([]byte, stubSize-len(code))...)
		code = append(code, vforkCode(at)...)
	}
	r.put(i, at, start, code)
	switch {
	case k == headCall:
		s.Done = s.Addr + callSize
	case start != at:
		s.Again = start
		fallthrough
	default:
		s.Done = at + stubDone
	}
	s.New = patch(uint32(Base+pointerOffset+8*i), len(s.Old))
	return !r.lost
}

// room is the next free stub, and its address.
func (r *Region) room() (i int, at uint64, ok bool) {
	if r.stubs == maxStubs || r.lost {
		return 0, 0, false
	}
	i = r.stubs
	r.stubs++
	return i, stubAt(i), true
}

// vforkRoom is room for one of vfork.
func (r *Region) vforkRoom() (i int, at uint64, ok bool) {
	i = maxStubs + 2*r.vforks
	r.vforks++
	return i, stubAt(i), !r.lost
}

func stubAt(i int) uint64 { return uint64(Base + stubOffset + i*stubSize) }

// put writes stub i, which is at address at, and where to enter it into the
// table of pointers.
func (r *Region) put(i int, at, start uint64, code []byte) {
	r.guard(func() {
		copy(r.mem[at-Base:], code)
		binary.LittleEndian.PutUint64(r.mem[pointerOffset+8*i:], start)
	})
}
