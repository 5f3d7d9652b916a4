// Package kernel is the virtual kernel: the policy of what the guest may
// observe. It runs the guest one thread at a time, stops each call that the
// policy table (package syscalls) does not declare native, and answers,
// adjusts, parks or refuses it in a handler named after the call.
//
// Invariants:
//   - exactly one guest thread runs at any moment, and only inside
//     Kernel.step; everything else is stopped;
//   - nothing blocks in the host's kernel while it holds the turn: a call that
//     could is parked before it starts, with a condition that another guest
//     thread or the logical clock fulfils;
//   - nothing read from guest memory is trusted.
//
// All methods run on the one locked OS thread that traces the guest, except
// Stop.
package kernel

import (
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"dettrace/internal/console"
	"dettrace/internal/cpusite"
	"dettrace/internal/door"
	"dettrace/internal/fastpath"
	"dettrace/internal/inet"
	"dettrace/internal/machine"
	"dettrace/internal/procfs"
	"dettrace/internal/ptrace"
	"dettrace/internal/sched"
	"dettrace/internal/schedattr"
	"dettrace/internal/schedule"
	"dettrace/internal/stopwatch"
	"dettrace/internal/syscalls"
	"dettrace/internal/trace"
	"dettrace/internal/vary"
	"dettrace/internal/vdso"
)

// Config is what the virtual kernel needs to know of its run.
type Config struct {
	Machine machine.Machine
	Epoch   int64 // ns since 1970
	Seed    uint64
	Policy  sched.Policy // nil: the default order of threads
	// ScheduleSeed is where Policy comes from, for the log.
	ScheduleSeed uint64
	Vary         vary.Plan // sources that are varied
	SingleID     bool      // only guest id 0 is mapped
	Open         door.Set
	PidsMax      int64 // processes that the guest may have, 0 for no limit of its own

	FuseDev, ProcDev, DevptsDev, MqueueDev uint64 // st_dev of the guest's mounts

	Stdin          io.Reader // nil: empty
	Stdout, Stderr io.Writer
	// Terminal takes the place of the three: they are the slave of one pty then.
	Terminal *console.Terminal
	// StdinPipe is the supervisor's (write) end of the guest's stdin pipe,
	// StdoutPipe and StderrPipe its (read) ends of the other two.
	StdinPipe, StdoutPipe, StderrPipe *os.File

	// Fast are the guest's fast paths, mapped in each process from RegionPath; nil: none.
	Fast       *fastpath.Region
	RegionPath string
	// CopyText copies size bytes from offset off of a file of the image into the
	// region's file at offset at, and has its word at offset changed set before
	// that file changes (detfs.Client).
	CopyText func(ino uint64, off, size, at, changed int64) error
	NoFast   bool // map them, so that the guest sees the same, and use none
	Profile  bool // measure for Kernel.Profile

	Log   io.Writer     // event log or nil
	Trace *trace.Writer // or nil; the caller closes it
	// NoDigests keeps digests of what calls moved out of both: a secret may be
	// among it.
	NoDigests bool
	Strict    bool           // the first refusal, or use of a door, ends the run
	SetNow    func(ns int64) // publishes the logical clock to the file system
	// SetBudget says how many calls of tick ns the guest may make on its own from then on.
	SetBudget func(n int, tick int64)
	FSErr     func() error // fatal file system trouble
	FIFOs     FIFOs
	// Place names an instruction of a thread (host id), for messages; may be nil.
	Place   func(tid int, addr uint64) string
	LastPid func(int) error // rewinds the pid counter of the namespace
	// ChownIno records a virtual owner for a file that the kernel would
	// not let the guest give away (single id). -1 keeps an id.
	ChownIno func(ino uint64, uid, gid int64) error
	// GetxattrIno reads an extended attribute of a file of the tree.
	GetxattrIno func(ino uint64, name string) ([]byte, error)
	// FileIDs are for reads of guest text that nobody may have read before.
	FileIDs ptrace.FileIDs
	// CPUSites tells where a file of the tree looks at the CPU.
	CPUSites func(ino uint64) (cpusite.Result, error)
	// TouchIno sets a file's mtime and ctime to the logical now.
	TouchIno func(ino uint64) error
	// Missing tells how many of the paths, from the first on, are surely not there.
	Missing func(paths []string) (int, error)
}

// FIFOs is how the file system lets us know of the first FIFO that the guest
// looks up in an image, in the middle of the call (detfs.Client).
type FIFOs interface {
	TellFifo(tid int)
	FifoMet() bool
	FifoKnown()
}

// Kernel is one run's virtual kernel.
type Kernel struct {
	cfg   Config
	host  hostClock // with the door time
	sched *sched.Sched
	norm  *procfs.Normaliser
	rand  *stream
	// published is rand.given when the region got what follows, plus one; 0: it did not.
	published uint64
	vary      varied
	tame      bool   // see lineage
	tick      int64  // logical ns of an event
	shared    bool   // the guest reads the clock without us: shareClock
	sharedAt  int64  // what of it is counted
	vdso      []byte // what lies over the kernel's, with the entry code of the last exec
	entered   entered
	entryAt   uint64           // where that code starts
	clocks    []*fastpath.Site // the calls in vdso that are replaced there
	yields    bool             // somebody calls sched_yield(2)
	clocksAt  uint64           // for images that have it at this address
	stackBuf  []byte           // of fixImage
	headBuf   []byte           // of replaceLooks
	hwcap     uint64           // AT_HWCAP of every image
	vdsoHost  vdso.Host
	vdsoCall  uint64 // vdso.SyscallOffset
	rows      []syscalls.Row
	calls     []*call // by number

	procs map[int]*Process // by host pid
	tasks map[int]*Task    // by host tid
	order []*Task          // live tasks in order of creation: every scan uses this
	// newborn holds threads whose first stop was seen before the event that
	// announces them.
	newborn map[int]bool
	ended   map[int]*deadProcess // by guest pid, until another process has it
	root    *Process
	init    int // host pid of pid 1
	// initAttr are the attributes of pid 1.
	initAttr schedattr.Attr

	waiters epollSet
	crowd   crowd
	futexes futexTable
	inodes  inodeMap
	inet    *inet.Table
	// autobound numbers the names of autobind; passcred: a unix socket may
	// get one by sending.
	autobound int
	passcred  bool
	stamps    bool            // somebody asked for the times of messages
	abstract  map[string]bool // with --allow network: names that the guest bound
	devices   hostDevices
	stdio     stdio
	term      *terminal
	timerfds  []*timerFD
	// timerfdRoom is how many there may be before closed ones are looked for.
	timerfdRoom int

	sems               ipcIDs[*semSet]
	semsUsed           int // semaphores in all sets
	msgs               ipcIDs[*msgQueue]
	msgCount, msgBytes int                 // in all queues
	mqs                map[uint64]*mqQueue // who waits, by inode
	mqNotified         bool                // somebody asked mq_notify(2)
	shms               []*shmSegment
	shmAttached        []shmAttach

	garbage ptrace.Collector

	fifos  bool        // a FIFO may exist, or slaves are held: opens must be watched
	slaves map[int]int // held open, by number of the pty: descriptors
	// sharedFiles: processes may have a table of descriptors in common.
	sharedFiles bool
	// signalfds: one may exist, and epoll sets must be looked into.
	signalfds bool
	async     bool   // somebody asked for SIGIO: it comes from native calls
	terminals bool   // one may be in use
	sends     uint64 // see calm
	progress  bool   // somebody did something since the lock waiters last tried
	stats     Stats
	log       *eventLog
	trace     *tracer
	exit      *ptrace.Status // how the root process ended

	prof   profile
	fast   *fastpath.Region // nil: every call that is an event stops
	looks  looks
	faults bool // cpuid traps
	// textsSeen are the segments that had to be patched. vacated: a process has
	// them no more, and would not bear changes of a copy.
	textsSeen []textSeen
	vacated   bool
	futexView futexView
	// roomySignals is the limit of pending signals with which all that matter
	// have room in their queue; none if the host's limit is low.
	roomySignals rlimit
	spinners     int // tasks that wait in a pure loop
	phasing      phasing
	heart        heartbeat
	outside      outsideSignals
	killsGroups  bool    // SIGKILL was sent to a group: who else is in it by then is not known
	dues         dueHeap // with threads-native and a logical clock
	stopped      atomic.Pointer[stopReason]
	nsfd         int // our handle on the guest's pid namespace, -1 if it cannot translate

	switches  []schedule.Switch // what the Policy changed
	described int               // decisions described in switches
	turn      turnEnd
}

type stopReason struct{ err error }

// Stats counts what a run did.
type Stats struct {
	Events  uint64
	Served  uint64   // of the events: calls that did not stop
	Stops   []uint64 // by call number
	Signals uint64
	Forks   uint64
	Execs   uint64
	Refused []Refusal
	Doors   []string // doors that were really used
}

// UncontrolledError ends a strict run at the first thing that is not controlled.
type UncontrolledError struct{ What string }

func (e *UncontrolledError) Error() string { return "not controlled: " + e.What }

// Refusal is a use of something that is not controlled.
type Refusal struct {
	What  string `json:"what"`
	Errno string `json:"errno"`
	Count int    `json:"count"`
	First string `json:"first"` // the process that asked first
}

// New prepares a virtual kernel; Boot starts the guest.
func New(cfg Config) (*Kernel, error) {
	k := &Kernel{
		cfg:     cfg,
		sched:   sched.New(cfg.Epoch, quantum),
		rows:    syscalls.For(cfg.Open),
		procs:   map[int]*Process{},
		tasks:   map[int]*Task{},
		newborn: map[int]bool{},
		mqs:     map[uint64]*mqQueue{},
		ended:   map[int]*deadProcess{},
		rand:    newStream(cfg.Seed, "getrandom"),
		vary:    newVaried(cfg.Vary),
		tame:    cfg.Vary != nil,
		nsfd:    -1,
		tick:    tickNS,
		sends:   1,
	}
	if cfg.Open.Time {
		k.tick, k.host = 0, newHostClock()
		k.catchUp()
	}
	if c := cfg.Vary.Of(vary.ClockRate); c.Whole() {
		k.tick *= c.RateFactor()
	} else if k.tame {
		k.tick = tameTickNS
	}
	k.sched.SetPolicy(cfg.Policy)
	var err error
	if k.vdsoHost, err = vdso.ReadHost(); err != nil {
		return nil, err
	}
	k.hwcap = cfg.Machine.CPU.HWCAP(cfg.Machine.CPUs)
	k.vdso, k.vdsoCall = vdso.Cover(k.vdsoHost.Code), vdso.SyscallOffset()
	if k.devices, err = readHostDevices(); err != nil {
		return nil, err
	}
	k.norm = k.newNormaliser()
	k.norm.Original, k.norm.Hidden = k.original, k.hidden
	k.norm.Random = func(p []byte) { copy(p, k.random(nil, len(p), "uuid of /proc")) }
	k.inodes.init()
	k.inet = inet.NewTable(k.inetAlive)
	k.futexes.init()
	k.buildCalls()
	k.stats.Stops = make([]uint64, len(k.calls))
	k.prof.watch = stopwatch.New(cfg.Profile)
	k.prof.calls = [2][]stopwatch.Span{make([]stopwatch.Span, len(k.calls)), make([]stopwatch.Span, len(k.calls))}
	if cfg.Log != nil {
		k.log = newEventLog(cfg.Log)
		if cfg.Policy != nil {
			k.log.header(cfg.ScheduleSeed)
		}
	}
	if cfg.Trace != nil {
		k.trace = newTracer(cfg.Trace)
	}
	// A log and a policy want every call.
	if !k.logging() && cfg.Policy == nil && !cfg.NoFast && !cfg.Open.Threads && !stopsAll(cfg.Vary) {
		k.fast = cfg.Fast
	}
	if cfg.Open.Threads && !cfg.Open.Time && cfg.Fast != nil && !k.logging() && !cfg.NoFast && !stopsAll(cfg.Vary) {
		k.shareClock()
	}
	k.roomySignals = k.startLimits().signals
	var host unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_SIGPENDING, &host); err != nil || host.Cur < 4096 {
		k.roomySignals = rlimit{1, 1} // which no process has: hard and soft at their largest but one
	}
	if err := k.waiters.open(); err != nil {
		return nil, err
	}
	if err := k.stdio.init(&cfg); err != nil {
		return nil, err
	}
	k.setNow()
	return k, nil
}

// Now is the logical time in ns since 1970.
func (k *Kernel) Now() int64 { return k.sched.Now() }

// Stats is a copy of the counters.
func (k *Kernel) Stats() Stats { return k.stats }

// Stop ends the run from another goroutine: err becomes Run's error. The
// caller kills the namespace's pid 1, which makes a waiting supervisor return.
func (k *Kernel) Stop(err error) { k.stopped.CompareAndSwap(nil, &stopReason{err}) }

func (k *Kernel) stopErr() error {
	if r := k.stopped.Load(); r != nil {
		return r.err
	}
	return nil
}

func (k *Kernel) setNow() {
	if k.cfg.SetNow != nil {
		k.cfg.SetNow(k.sched.Now())
	}
}

// tickNS is the logical cost of one event, and quantum the number of events
// a thread may use per turn while others wait. Both define results: changing
// them changes every hash.
const (
	tickNS  = 1000
	quantum = 1000
)

// event counts one event of the running thread and moves the clock.
func (k *Kernel) event(t *Task) {
	k.typeAtEvent()
	k.stats.Events++
	k.charge(t, k.tick)
	k.catchUp()
	k.expire()
	if k.sched.Event(k.tick) {
		t.preempt = true
	}
	k.setNow()
}

// refuse records a use of something uncontrolled.
func (k *Kernel) refuse(t *Task, what string, errno error) {
	for i := range k.stats.Refused {
		if k.stats.Refused[i].What == what {
			k.stats.Refused[i].Count++
			return
		}
	}
	k.stats.Refused = append(k.stats.Refused, Refusal{what, errnoName(errno), 1, t.proc.describe()})
	k.uncontrolled("refused: " + what + ", by " + t.proc.describe())
}

// uncontrolled ends a strict run.
func (k *Kernel) uncontrolled(what string) {
	if k.cfg.Strict {
		k.Stop(&UncontrolledError{What: what})
	}
}

func (k *Kernel) door(name string) {
	for _, d := range k.stats.Doors {
		if d == name {
			return
		}
	}
	k.stats.Doors = append(k.stats.Doors, name)
	k.uncontrolled("door used: " + name)
}
