package kernel

import (
	"math/rand/v2"

	"dettrace/internal/door"
	"dettrace/internal/host"
	"dettrace/internal/vary"
)

// varied are the sources that this run varies (package vary). All are nil in
// an ordinary run.
type varied struct {
	time, rate, random, aslr, uninit, pid *vary.Meter

	births  uint64 // processes and threads so far
	natural int    // the last number given out if none were varied
	jumped  bool   // the kernel's counter is not there
}

func newVaried(p vary.Plan) varied {
	return varied{
		time: p.Meter(vary.Time), rate: p.Meter(vary.ClockRate), random: p.Meter(vary.Random),
		aslr: p.Meter(vary.ASLR), uninit: p.Meter(vary.Uninit), pid: p.Meter(vary.PID), natural: 1,
	}
}

// stopsAll reports whether the varied sources must see every event: calls that
// the guest serves itself are not counted, and addresses that change leave
// nothing to share between programs.
func stopsAll(p vary.Plan) bool {
	rate := p.Of(vary.ClockRate)
	return rate != nil && !rate.Whole() || p.Of(vary.ASLR) != nil
}

// Varied tells what the meters have counted.
func (k *Kernel) Varied() (out []vary.Metered) {
	v := &k.vary
	for _, m := range []*vary.Meter{v.time, v.rate, v.random, v.aslr, v.uninit, v.pid} {
		if r, ok := m.Report(); ok {
			out = append(out, r)
		}
	}
	return out
}

// lineage makes one process independent of the others in a run that is compared
// with varied ones (Config.Vary is not nil, even if it is empty): its random
// bytes and its clock come from its place in the family and from how often it
// has asked, not from what the whole run did until then. Otherwise whatever
// makes a program take another step would reach everything that has a time or
// a random name in it.
type lineage struct {
	id    uint64
	kids  uint64
	draws map[int]uint64 // of random bytes, by length: another draw of the allocator moves no hash seed
	reads int64          // of clocks
}

// tameTickNS is the logical cost of an event in such a run: so little that its
// events do not add up to a second.
const tameTickNS = 10

// child is the lineage of the next child.
func (l *lineage) child() lineage {
	l.kids++
	return lineage{id: mix(l.id, l.kids)}
}

// mix is a hash of two numbers (the finaliser of MurmurHash3 over a sum).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// tamed is a clock's value ns as the process sees it: the next full second, and
// a microsecond for each of its reads. No file is newer.
func (l *lineage) tamed(ns int64) int64 {
	l.reads++
	const second = 1e9
	return (ns+second-1)/second*second + l.reads*1000
}

// since is the logical time since the start.
func (k *Kernel) since() int64 { return k.Now() - k.cfg.Epoch }

// seen is the value in ns of a clock as t reads it: real counts from 1970, else
// from the boot. Where the whole of time or rate is varied the clock itself is
// another one; here single reads are.
func (k *Kernel) seen(t *Task, ns int64, real bool, what string) int64 {
	if !k.tame {
		return ns
	}
	v := &k.vary
	if rate := k.cfg.Vary.Of(vary.ClockRate); !rate.Whole() {
		ns = t.proc.kin.tamed(ns)
	}
	if real {
		if c, _, hit := v.time.Next(k.since(), t.proc.vpid, what); hit && !c.Whole() {
			ns += c.TimeShift()
		}
	}
	if c, _, hit := v.rate.Next(k.since(), t.proc.vpid, what); hit && !c.Whole() {
		start := k.cfg.Epoch
		if !real {
			start -= k.cfg.Machine.BootTime
		}
		ns = start + (ns-start)*c.RateFactor()
	}
	return ns
}

// random gives t n random bytes: those of the seed, or the host's where that
// door is open, or varied ones. A nil t is the running thread.
func (k *Kernel) random(t *Task, n int, what string) []byte {
	if k.cfg.Open.Random {
		k.door(door.Random)
		p := make([]byte, n)
		if err := host.Random(p); err != nil {
			k.Stop(err)
		}
		return p
	}
	if !k.tame {
		return k.rand.bytes(n)
	}
	if t == nil {
		t = k.sched.Current().Data.(*Task)
	}
	pid, kin := t.proc.vpid, &t.proc.kin
	if kin.draws == nil {
		kin.draws = map[int]uint64{}
	}
	kin.draws[n]++
	b := newStream(mix(mix(mix(k.cfg.Seed, kin.id), uint64(n)), kin.draws[n]), "vary").bytes(n)
	if c, i, hit := k.vary.random.Next(k.since(), pid, what); hit {
		rand.NewChaCha8(c.Key(i)).Read(b)
	}
	return b
}

// born counts a process or thread, and makes the kernel's counter ready for the
// next.
func (k *Kernel) born(t *Task) error {
	v := &k.vary
	if v.pid == nil {
		return nil
	}
	c, i, hit := v.pid.Next(k.since(), t.vtid, "start of a process or thread")
	if i == 0 {
		v.jumped = hit // the sandbox has started it
	}
	v.births++
	if v.natural++; v.natural >= k.cfg.Machine.PidMax-1 {
		v.natural = 299 // as pidWrap
	}
	switch {
	case c.Hits(v.births):
		v.jumped = true
		return k.cfg.LastPid(c.PID(v.births) - 1)
	case v.jumped:
		v.jumped = false
		return k.cfg.LastPid(v.natural)
	}
	return nil
}
