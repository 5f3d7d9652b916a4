package schedattr

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// What only somebody with limits, the capability or another's threads meets;
// the rest test/guest compares with the kernel.
func TestRights(t *testing.T) {
	own, limits, root := Rights{Owner: true}, Rights{Owner: true, Nice: 25, RTPrio: 10}, Rights{SysNice: true}
	fifo, idle, reset := Attr{Policy: FIFO, Priority: 10}, Attr{Policy: Idle}, Attr{Reset: true}
	for _, c := range []struct {
		what  string
		start Attr
		do    func(*Attr, Rights) unix.Errno
		r     Rights
		e     unix.Errno
		want  Attr
	}{
		{"real time", Attr{}, setScheduler(FIFO, 10), limits, 0, fifo},
		{"beyond the limit", Attr{}, setScheduler(FIFO, 11), limits, unix.EPERM, Attr{}},
		{"without limit", Attr{}, setScheduler(RR, 1), own, unix.EPERM, Attr{}},
		{"other class within", fifo, setScheduler(RR, 10), limits, 0, Attr{Policy: RR, Priority: 10}},
		{"lower stays allowed", fifo, func(a *Attr, r Rights) unix.Errno { return a.SetParam(3, r) }, own, 0, Attr{Policy: FIFO, Priority: 3}},
		{"back to normal", fifo, setScheduler(Normal, 0), own, 0, Attr{}},
		{"capable", Attr{}, setScheduler(RR, 99), root, 0, Attr{Policy: RR, Priority: 99}},
		{"another's", Attr{}, setScheduler(Batch, 0), Rights{}, unix.EPERM, Attr{}},
		{"idle is for ever", idle, setScheduler(Normal, 0), own, unix.EPERM, idle},
		{"but for the limit", idle, setScheduler(Normal, 0), limits, 0, Attr{}},
		{"reset is for ever", reset, setScheduler(Normal, 0), own, unix.EPERM, reset},
		{"reset goes", reset, setScheduler(Normal, 0), root, 0, Attr{}},
		{"nice down to the limit", Attr{Nice: 4}, setNice(-5), limits, 0, Attr{Nice: -5}},
		{"nice below", Attr{}, setNice(-6), limits, unix.EACCES, Attr{}},
		{"nice of another", Attr{}, setNice(6), Rights{}, unix.EPERM, Attr{}},
		{"nice of anybody", Attr{}, setNice(-99), root, 0, Attr{Nice: -20}},
		{"io of another", Attr{}, func(a *Attr, r Rights) unix.Errno { return a.SetIOPrio(1<<13, r) }, Rights{}, unix.EPERM, Attr{}},
		{"deadline", Attr{}, func(a *Attr, r Rights) unix.Errno {
			return a.SetAttr(Change{Policy: Deadline, Runtime: 1e6, Deadline: 1e7}, r)
		}, root, unix.EPERM, Attr{}},
		{"clamp", Attr{}, func(a *Attr, r Rights) unix.Errno { return a.SetAttr(Change{Flags: 0x20}, r) }, own, unix.EOPNOTSUPP, Attr{}},
		{"slice", Attr{}, func(a *Attr, r Rights) unix.Errno { return a.SetAttr(Change{Runtime: 1}, r) }, own, 0, Attr{Slice: 100_000}},
	} {
		a := c.start
		if e := c.do(&a, c.r); e != c.e || a != c.want {
			t.Errorf("%s: %v %+v, want %v %+v", c.what, e, a, c.e, c.want)
		}
	}
}

func setScheduler(policy, priority int) func(*Attr, Rights) unix.Errno {
	return func(a *Attr, r Rights) unix.Errno { return a.SetScheduler(policy, priority, r) }
}

func setNice(n int) func(*Attr, Rights) unix.Errno {
	return func(a *Attr, r Rights) unix.Errno { return a.SetNice(n, r) }
}

func TestFork(t *testing.T) {
	for _, c := range []struct{ parent, child Attr }{
		{Attr{Policy: Batch, Nice: 3, IOPrio: 5}, Attr{Policy: Batch, Nice: 3, IOPrio: 5}},
		{Attr{Policy: RR, Priority: 9, Nice: 7, Reset: true}, Attr{}},
		{Attr{Nice: -3, Slice: 1e6, Reset: true}, Attr{}},
		{Attr{Policy: Idle, Nice: 3, Reset: true}, Attr{Policy: Idle, Nice: 3}},
		{Attr{Policy: FIFO, Priority: 9}, Attr{Policy: FIFO, Priority: 9}},
	} {
		if got := c.parent.Fork(); got != c.child {
			t.Errorf("child of %+v: %+v, want %+v", c.parent, got, c.child)
		}
	}
}

func TestShown(t *testing.T) {
	a := Attr{Policy: FIFO, Priority: 30, Nice: -20}
	if a.KernelPriority() != 69 || a.Interval(1) != 0 || a.Weight() != 88761<<10 {
		t.Errorf("FIFO: %d %d %d", a.KernelPriority(), a.Interval(1), a.Weight())
	}
	a = Attr{Policy: RR, Priority: 1}
	if a.Interval(1) != 100e6 || a.EffectiveIOPrio() != 1<<13|4 {
		t.Errorf("RR: %d %x", a.Interval(1), a.EffectiveIOPrio())
	}
	a = Attr{Nice: 19, Slice: 9e6}
	if a.KernelPriority() != 139 || a.Interval(1) != 8e6 || a.Weight() != 15<<10 || a.EffectiveIOPrio() != 2<<13|7 {
		t.Errorf("normal: %d %d %d %x", a.KernelPriority(), a.Interval(1), a.Weight(), a.EffectiveIOPrio())
	}
	a = Attr{}
	for cpus, want := range map[int]uint64{1: 750e3, 2: 1500e3, 4: 2250e3, 1000: 3000e3} {
		if got := binary.LittleEndian.Uint64(a.Append(nil, AttrSize, cpus)[24:]); got != want {
			t.Errorf("%d CPUs: slice %d, want %d", cpus, got, want)
		}
	}
}

func TestCPUSet(t *testing.T) {
	s := FirstCPUs(70)
	b := s.Append(nil, 70)
	if len(b) != 16 || CPUSetOf(b) != s || CPUSetOf(b[:8]) != FirstCPUs(64) || !s.Has(69) || s.Has(70) {
		t.Errorf("%x", b)
	}
	if got := CPUSetOf([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0x30}).And(s); got.First() != 68 {
		t.Errorf("first %d", got.First())
	}
	if FirstCPUs(1<<20) != FirstCPUs(MaxCPUs) || Bytes(1) != 8 || Bytes(65) != 16 {
		t.Error("sizes")
	}
}

// FuzzParse wants no panic, and only what can be kept.
func FuzzParse(f *testing.F) {
	f.Add(make([]byte, 56), uint32(56))
	f.Fuzz(func(t *testing.T, b []byte, size uint32) {
		c, e := Parse(b, size)
		var a Attr
		if e == 0 && a.SetAttr(c, Rights{SysNice: true}) == 0 && (a.Nice < -20 || a.Nice > 19 || a.Priority < 0 || a.Priority > 99) {
			t.Errorf("%+v", a)
		}
	})
}
