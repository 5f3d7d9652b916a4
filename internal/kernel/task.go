package kernel

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/procfs"
	"dettrace/internal/ptrace"
	"dettrace/internal/sched"
	"dettrace/internal/schedattr"
	"dettrace/internal/vdso"
)

// Task is one guest thread.
type Task struct {
	th   *sched.Thread
	proc *Process
	tid  int // host
	vtid int // guest

	regs    ptrace.Regs
	data    uint32      // what the filter said of the call
	sig     unix.Signal // to deliver at the next resume
	nudged  bool        // interrupted to be looked at (Nudge)
	looked  bool        // was looked at: the next resume is none of its own
	phased  int         // how often it was parked in a cycle with phases (spin)
	preempt bool        // quantum used up: yield at the end of this stop
	unasked bool        // the next resume is from a stop that means nothing (watch, frees)

	// What the next resume does.
	onTurn  func(*Task) verdict // re-examines the parked call; nil: just resume
	onExit  func(*Task)         // runs at the syscall exit stop; nil: no exit stop
	wait    waitFor             // what a parked task waits for
	ready   uint64              // the turn up to whose begin what it waits for is known to be there
	found   func(*Task) verdict // decides anew about a call that is made as something is there for it
	sigWake bool                // woken because a signal is to be delivered
	sends   uint64              // Kernel.sends when it went on last; 0: not in this turn, or its call is half done

	asks    int  // see watch
	watched bool // has that filter, as the threads and processes have that it makes

	restart   restart // state of an interrupted sleep (restart_syscall)
	stopped   bool    // in group stop (job control)
	stopping  bool    // its process stops: it joins at its next turn
	clearTID  uint64  // address that the kernel clears and wakes at exit
	callNr    int
	called    bool // callNr is set
	entering  bool // resumed next, the kernel does the call at whose entry it is
	inCall    bool // at a stop within a call: its exit is still to come
	callStart int64
	// epollLeft, epollInet: until when the epoll_wait(2) waits that the kernel makes, and
	// what was in its set. epollOver: what it tells is final.
	epollLeft  restart
	epollInet  []inetEntry
	epollOver  bool
	logged     bool
	logText    string
	traced     traced
	dead       bool
	exits      bool        // has called exit(2)
	leaderGone bool        // exit(2) of a leader whose siblings live on
	retrying   bool        // the call at entry is a repetition by us, not a new event
	bearing    bool        // in a call that makes a thread or process
	asking     func(*Task) // runs at the exit of a call that is made in the place of t's
	fifoAt     int64       // 1 + the start of the call that is known to open a FIFO
	fifoMet    bool        // interrupted by meetFifo, and the stop is still to come
	timerSlack uint64      // ns; 0: the default
	lent       *lent       // see spare
	partial    int64       // bytes that a call written in pieces has moved so far
	undo       *semUndoList
	codeCall   *codeCall    // code of its own that it is in
	cred       *credentials // nil: not known; see Kernel.cred
	attr       schedattr.Attr
	guessed    schedattr.Attr // see inheritAttr
	cpu        cpuClock
	status     int // 1 + descriptor of /proc/tid/status; 0: not open
}

// waitFor says why a task is parked; it feeds wake-ups and the deadlock report.
type waitFor struct {
	what     string // for people: "read from pipe", "exit of a child"
	fds      []waitFD
	direct   int16 // if not 0: when fds[0] is ready for these events the call can be made
	children bool  // a change of a child
	futex    *futexWaiter
	spin     *spin     // a pure loop
	queue    waitQueue // a place in another queue of ours
	fifo     streamID  // a FIFO whose writer is awaited
	lock     bool      // a file lock: retried whenever the turn changes hands
	fileLock *lockWait // of lock: what of which file
	vfork    *Process
	mask     uint64 // signal mask in force during the call, if hasMask
	hasMask  bool
	alarm    *alarm
	tty      bool   // one of fds is a terminal
	quiet    bool   // among what is waited for is a socket of which the kernel does not tell all
	sigfd    uint64 // signals that the call takes, as a signalfd among the descriptors does
	outside  bool   // something that the world outside the container decides
	edges    bool   // fds is an epoll set whose thread is woken by edges (crowd)
}

// restart is what restart_syscall(2) continues: an absolute deadline.
type restart struct {
	nr       int
	deadline int64 // of the logical clock, or of cpu
	set      bool
	cpu      *cpuClock
}

// parkUntil is the moment of the logical clock at which a parked call ends, or -1.
func (r *restart) parkUntil() int64 {
	if !r.set || r.cpu != nil {
		return -1
	}
	return r.deadline
}

// Process is a thread group.
type Process struct {
	kin       lineage // in runs that are compared with varied ones
	pid, vpid int     // host, guest
	parent    *Process
	children  []*Process
	tasks     []*Task
	pidfd     int
	mem       *memory // /proc/pid/mem, opened on demand
	start     int64   // logical, ns since 1970
	vforkTask *Task   // the thread that waits for our exec or death
	subreaper bool
	timers    itimers
	posix     []*posixTimer
	nextTimer int
	armed     []armedTimer // timers, with threads-native and a logical clock
	comm      string
	groups    []uint32     // supplementary groups, with one mapped id
	mm        *mmID        // the address space (shared by vfork children)
	bornMM    *mmID        // the first, if the event of the birth may change it (adopt)
	vdsoBase  uint64       // where the vDSO lies since the last exec
	program   uint64       // where that exec's program begins
	over      vdso.Overlay // what that exec mapped over its text
	phdr      uint64       // that program's headers
	linker    uint64       // and its dynamic linker, or 0
	// interprets is set for programs that may run text otherwise than by the
	// CPU: see mapText.
	interprets bool
	segv       *segvAction
	tunables   procfs.Tunables
	limits     limits
	killed     bool           // SIGKILL may come from within the container
	deathKill  bool           // SIGKILL comes when the parent ends (PR_SET_PDEATHSIG)
	attr       schedattr.Attr // of the leader, once it is dead

	zombies []zombie // children that have ended
	// oddChildren: zombies is not all that a wait may find. A child was stopped
	// by job control, does not end with SIGCHLD, or there were too many.
	oddChildren bool
	// collecting is the thread that goes on with a call which collects the only
	// zombie; listed: it may still be listed. See childless.
	collecting *Task
	listed     bool
	cpu        cpuClock
	childCPU   int64 // see childTime
}

// mmID is the identity of an address space, and what we know of it.
type mmID struct {
	fast     fastMM
	barriers int // registrations of membarrier(2)
}

func (p *Process) describe() string {
	if p.comm == "" {
		return "pid " + strconv.Itoa(p.vpid)
	}
	return fmt.Sprintf("%s (pid %d)", p.comm, p.vpid)
}

// leaderGone reports that the leader has called exit(2) before its siblings.
func (p *Process) leaderGone() bool { return len(p.tasks) > 0 && p.tasks[0].leaderGone }

// newProcess registers a thread group whose first thread is tid.
func (k *Kernel) newProcess(tid int, parent *Process) (*Process, error) {
	fd, err := unix.PidfdOpen(tid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open %d: %w", tid, err)
	}
	p := &Process{pid: tid, pidfd: fd, parent: parent, start: k.Now(), mm: &mmID{}, segv: &segvAction{}}
	if parent != nil {
		parent.children = append(parent.children, p)
		p.comm, p.groups, p.tunables, p.limits = parent.comm, parent.groups, parent.tunables, parent.limits
	}
	k.procs[tid] = p
	k.heart.procs.Add(1)
	return p, nil
}

// newTask registers a thread; it is ready to run.
func (k *Kernel) newTask(tid int, p *Process) *Task {
	t := &Task{proc: p, tid: tid}
	t.vtid = k.guestTid(tid)
	if p.pid == tid {
		p.vpid = t.vtid
	}
	t.th = k.sched.Add(t)
	p.tasks = append(p.tasks, t)
	k.tasks[tid] = t
	k.order = append(k.order, t)
	k.beside()
	return t
}

// NS_GET_PID_IN_PIDNS (linux/nsfs.h, since 6.11) translates one of our pids.
const nsGetPidInPidns = 0x8004b708

// guestTid translates a host thread id into the guest's number.
func (k *Kernel) guestTid(tid int) int {
	if k.nsfd >= 0 {
		r, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(k.nsfd), nsGetPidInPidns, uintptr(tid))
		if e == 0 {
			return int(r)
		}
		unix.Close(k.nsfd)
		k.nsfd = -1
	}
	f := statusField(tid, "NSpid:")
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(string(f[len(f)-1]))
	return n
}

// statusField reads one line of /proc/tid/status, split at white space.
func statusField(tid int, key string) [][]byte {
	b, err := readProc("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return nil
	}
	for _, l := range bytes.Split(b, []byte("\n")) {
		if rest, ok := bytes.CutPrefix(l, []byte(key)); ok {
			return bytes.Fields(rest)
		}
	}
	return nil
}

// removeTask forgets a dead thread; it reports whether it was the last one of its process.
func (k *Kernel) removeTask(t *Task) bool {
	t.dead = true
	k.sent()
	t.closeStatus()
	k.unpark(t)
	k.semExit(t)
	k.sched.Exit(t.th)
	if k.tasks[t.tid] == t {
		delete(k.tasks, t.tid)
	}
	k.order = without(k.order, t)
	t.proc.tasks = without(t.proc.tasks, t)
	if t.tid == t.proc.pid {
		t.proc.attr = t.attr
	}
	return len(t.proc.tasks) == 0
}

// removeProcess forgets a dead process: its children go to the nearest
// subreaper or to pid 1 (prctl(2), PR_SET_CHILD_SUBREAPER).
func (k *Kernel) removeProcess(p *Process) {
	var heir *Process
	for a := p.parent; a != nil; a = a.parent {
		if a.subreaper {
			heir = a
			break
		}
	}
	for _, c := range p.children {
		c.parent = heir
		if heir != nil {
			heir.children = append(heir.children, c)
			heir.oddChildren = true
		}
	}
	if heir != nil && len(p.zombies) > 0 {
		heir.oddChildren = true
	}
	d := &deadProcess{pid: p.pid, start: p.start, cpu: cpuClock{used: p.cpu.used}, childCPU: p.childTime(), attr: p.attr}
	k.ended[p.vpid] = d
	p.forgetZombies()
	if p.parent != nil {
		p.parent.children = without(p.parent.children, p)
		p.parent.addZombie(p, d)
	} else {
		unix.Close(p.pidfd)
	}
	if p.mem != nil {
		p.mem.Close()
	}
	k.stopTimers(p)
	delete(k.procs, p.pid)
	k.heart.procs.Add(-1)
}

func without[T comparable](s []T, x T) []T {
	for i, v := range s {
		if v == x {
			return append(s[:i], s[i+1:]...)
		}
	}
	return s
}

// memFile is p's memory, opened once per image.
func (p *Process) memFile() (*memory, error) {
	if p.mem == nil {
		fd, err := openProc("/proc/"+strconv.Itoa(p.pid)+"/mem", unix.O_RDWR)
		if err != nil {
			return nil, err
		}
		p.mem = &memory{fd}
	}
	return p.mem, nil
}
