package fastpath

import (
	"encoding/binary"
	"os"
)

// Facts are the constants of a container that corrections need.
type Facts struct {
	FuseDev, TreeDev    uint64 // st_dev of our file system, and of its main volume for the guest
	ImageIno, VolumeIno uint64 // inode numbers >= ImageIno and < VolumeIno are of the main volume
}

// Region is the supervisor's side of the region of one container.
type Region struct {
	mem   []byte
	state state
	armed uint64 // the budget that the guest got
	stubs int
	sites map[uint64][]*Site // by address, in order of creation
	addrs []uint64           // those addresses, sorted
	seen  map[uint64]int     // stops at addresses without a site
}

// New fills the file that the guest's processes map. It keeps a mapping for as
// long as we live, so that a late access cannot fault.
func New(f *os.File, facts Facts) (*Region, error) {
	mem, err := mapFile(f)
	if err != nil {
		return nil, err
	}
	r := &Region{mem: mem, state: state{mem[TextSize:]}, sites: map[uint64][]*Site{}, seen: map[uint64]int{}}
	copy(mem, text())
	for _, c := range table() {
		mem[classOffset+c.nr] = byte(c.class)
	}
	r.state.word(offFuseDev).Store(facts.FuseDev)
	r.state.word(offTreeDev).Store(facts.TreeDev)
	r.state.word(offImageIno).Store(facts.ImageIno)
	r.state.word(offVolumeIno).Store(facts.VolumeIno)
	return r, nil
}

// Arm lets the next thread make up to n calls that are served.
func (r *Region) Arm(n int) {
	r.armed = uint64(max(n, 0))
	r.state.word(offBudget).Store(r.armed)
}

// Served is the number of calls served since the last Served or Arm, at most
// the budget whatever the guest wrote there.
func (r *Region) Served() int {
	w := r.state.word(offServed)
	n := w.Load()
	if n == 0 {
		return 0
	}
	w.Store(0)
	return int(min(n, r.armed))
}

// NoOpen ends the serving of calls that open files.
func (r *Region) NoOpen() { r.state.word(offNoOpen).Store(1) }

// Serves reports whether call nr is of those that the region serves.
func (r *Region) Serves(nr int) bool {
	return nr >= 0 && nr < pointerOffset-classOffset && r.mem[classOffset+nr] != byte(Leave)
}

// InCode reports whether rip is in the code that serves, outside the stubs.
func InCode(rip uint64) bool { return rip >= Base && rip < Base+classOffset }

// InStub reports whether rip is in a stub.
func InStub(rip uint64) bool { return rip >= Base+stubOffset && rip < Base+TextSize }

// newStub writes the stub of s into the region; false says that there is no room.
func (r *Region) newStub(s *Site, fixed bool) bool {
	if r.stubs == maxStubs {
		return false
	}
	i := r.stubs
	r.stubs++
	at := uint64(Base + stubOffset + i*stubSize)
	s.Done = at + stubDone
	copy(r.mem[at-Base:], stub(at, s, fixed))
	slot := pointerOffset + 8*i
	binary.LittleEndian.PutUint64(r.mem[slot:], at)
	s.New = patch(uint32(Base+slot), len(s.Old))
	return true
}
