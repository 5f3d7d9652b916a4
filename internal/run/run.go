package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/door"
	"dettrace/internal/fastpath"
	"dettrace/internal/host"
	"dettrace/internal/kernel"
	"dettrace/internal/machine"
	"dettrace/internal/output"
	"dettrace/internal/ptrace"
	"dettrace/internal/redact"
	"dettrace/internal/report"
	"dettrace/internal/sandbox"
	"dettrace/internal/seccomp"
	"dettrace/internal/store"
	"dettrace/internal/syscalls"
	"dettrace/internal/trace"
	"dettrace/internal/vary"
)

// ErrTimeout ends a run that took longer than Spec.Timeout.
var ErrTimeout = errors.New("timeout")

// ErrInterrupted ends a run on Ctrl-C or SIGTERM.
var ErrInterrupted = errors.New("interrupted")

// container is one run's parts, for orderly teardown in reverse order.
type container struct {
	spec  Spec
	open  door.Set
	mach  machine.Machine
	began int64 // when the guest's clock starts, ns since 1970
	cpus  int   // that the host lets us use
	fs    *detfs.Client
	src   Source // of outputs: fs, or what Spec.Record made of it
	box   *sandbox.Sandbox
	kern  *kernel.Kernel
	fast  *fastpath.Region
	trace *trace.Writer
	phase atomic.Pointer[string]        // for people who wait
	shown atomic.Pointer[kernel.Kernel] // once it runs
	ran   atomic.Pointer[longRun]       // by the thread that has the turn
	// filled is the image that the run becomes, while it does.
	filled atomic.Pointer[store.Build]
	pipes  []*os.File
	mode   sandbox.IDMode
	user   user

	summary detfs.Summary
	learned []detfs.Learned // per layer, if somebody asked
	files   []output.File   // of the outputs, likewise
	mask    *redact.Mask    // of Spec.Secrets
	skipped []output.Skipped
	outputs int              // copied out
	applied int              // changes written back
	settled *report.Settings // of a kept run, else nil
	// committed is the image that the run became, or "".
	committed string
}

// Outcome is what a finished guest leaves behind, before outputs are taken.
type outcome struct {
	status  ptrace.Status
	logical int64 // ns of logical time used
	stats   kernel.Stats
	visible []string // of the host's CPU
	single  bool
	profile kernel.Profile
	varied  []vary.Metered
}

// guestRun starts the container, runs the command to its end and returns how
// it ended. The file system server still runs, for the caller to read changes.
func (c *container) guestRun(ctx context.Context) (outcome, error) {
	// ptrace(2) binds a tracee to the thread that seized it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The tracing thread keeps its P for good while it waits for the guest; the
	// others need one, also on a host with one CPU. That it is set by hand keeps the
	// runtime from changing it, for which it would stop the world.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	// A short run makes less than 16 MB of garbage, and a collection of it would find
	// what the exit gives back anyway.
	debug.SetGCPercent(400)
	c.cpus = host.CPUs()
	if !c.open.Threads {
		pinToOneCPU()
	}
	if err := c.start(); err != nil {
		return outcome{}, err
	}
	k := c.kern
	done := make(chan struct{})
	defer func() {
		close(done)
		c.box.Kill()
		k.Reap()
	}()
	c.shown.Store(k)
	c.enter(phaseRun)
	go c.watch(ctx, done)
	go c.forward(done)
	go c.guardRun(ctx, done)
	filter, err := seccomp.Compile(syscalls.For(c.open), fastFilter(c.fast))
	if err != nil {
		return outcome{}, err
	}
	err = k.Boot(kernel.Guest{
		InitPid: c.box.InitPid, Pid: c.box.GuestPid, SyscallAddr: c.box.SyscallAddr,
		ScratchAddr: c.box.ScratchAddr, ScratchLen: c.box.ScratchLen,
	}, filter, c.spec.Command, c.spec.Env)
	if err != nil {
		return outcome{}, err
	}
	st, err := c.runGuest()
	err = c.explainKill(err)
	if ferr := k.Flush(); err == nil && ferr != nil {
		err = fmt.Errorf("event log: %w", ferr)
	}
	o := outcome{
		status: st, logical: k.Now() - c.began, stats: k.Stats(), visible: k.VisibleCPU(), profile: k.Profile(), varied: k.Varied(),
		single: c.mode == sandbox.IDsSingle,
	}
	return o, err
}

// runGuest runs it, with somebody at its terminal if it has one.
func (c *container) runGuest() (st ptrace.Status, err error) {
	t := c.spec.Terminal
	if t == nil {
		return c.kern.Run()
	}
	// Also after a panic: the host's terminal gets its mode back.
	defer func() {
		c.kern.CloseTerminal()
		if e := t.Input.Close(); err == nil {
			err = e
		}
	}()
	if err := t.Input.Start(); err != nil {
		return st, err
	}
	return c.kern.Run()
}

// watch turns timeouts and interrupts into the end of the guest tree.
func (c *container) watch(ctx context.Context, done <-chan struct{}) {
	var err error
	select {
	case <-done:
		return
	case <-ctx.Done():
		err = ErrInterrupted
		if !errors.Is(ctx.Err(), context.Canceled) {
			err = c.timeoutError()
		}
	case <-c.spec.Interrupt:
		err = ErrInterrupted
	}
	c.kern.Stop(err)
	c.box.Kill()
}

// forward passes signals on to the command (door signals).
func (c *container) forward(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case s := <-c.spec.Signals:
			if sig, ok := s.(unix.Signal); ok {
				c.kern.Signal(sig)
			}
		}
	}
}

// start brings up file system, sandbox and virtual kernel.
func (c *container) start() error {
	s := &c.spec
	c.mode = sandbox.DetectIDs()
	if err := c.declareMachine(); err != nil {
		return err
	}
	c.varyUser()
	fs, err := detfs.Start(c.fsConfig())
	if err != nil {
		return fmt.Errorf("file system: %w", err)
	}
	c.fs, c.src = fs, fs
	if s.Record != nil {
		c.src = s.Record(fs)
	}
	fs.SetNow(c.began)
	c.user, err = resolveUser(s.User, fs)
	if err != nil {
		return err
	}
	if err := c.ownInputs(); err != nil {
		return err
	}
	s.Env = c.user.environ(s.Env)
	var in, out, errp stream
	if s.Terminal == nil {
		if in, out, errp, err = c.makePipes(); err != nil {
			return err
		}
	}
	box, err := sandbox.Start(c.boxConfig(in, out, errp), c.mode)
	if err != nil {
		return err
	}
	c.box = box
	for _, f := range []*os.File{in.guest, out.guest, errp.guest} {
		if f != nil {
			f.Close()
		}
	}
	if s.Terminal != nil {
		s.Terminal.Out = s.Stdout
	}
	if c.fast, err = newRegion(box, c.mach, c.began, c.open, s.Vary != nil, c.mode == sandbox.IDsSingle, in.ours, out.ours, errp.ours); err != nil {
		return err
	}
	if err := fs.Count(box.Shared, fastpath.ServedOffset); err != nil {
		return err
	}
	if err := c.beginTrace(); err != nil {
		return err
	}
	k, err := kernel.New(kernel.Config{
		CPUSites: fs.CPUSites,
		Fast:     c.fast, RegionPath: regionPath, CopyText: fs.CopyText, NoFast: s.NoFastPaths, Profile: s.Profile,
		Machine: c.mach, Epoch: c.began, Seed: s.Seed, Vary: s.Vary, Policy: s.policy(), ScheduleSeed: s.scheduleSeed(),
		FileIDs: fileIDs(box), SingleID: c.mode == sandbox.IDsSingle, Open: c.open, PidsMax: s.Pids,
		FuseDev: box.FuseDev, ProcDev: box.ProcDev, DevptsDev: box.DevptsDev, MqueueDev: box.MqueueDev,
		Terminal: s.Terminal,
		Stdin:    s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr,
		StdinPipe: in.ours, StdoutPipe: out.ours, StderrPipe: errp.ours,
		Log: s.Log, Trace: c.trace, NoDigests: len(s.Secrets) > 0, Strict: s.Strict, SetNow: fs.SetNow, SetBudget: fs.SetBudget, FSErr: fs.Err, FIFOs: fs, Place: c.place, LastPid: box.SetLastPid, ChownIno: fs.ChownIno, GetxattrIno: fs.GetxattrIno, TouchIno: fs.TouchIno, Missing: fs.Missing,
	})
	if err != nil {
		return err
	}
	c.kern = k
	return nil
}

// fileIDs are for reading the guest's memory: none where our own ids are mapped.
func fileIDs(box *sandbox.Sandbox) ptrace.FileIDs {
	if box.RootUID == os.Geteuid() && box.RootGID == os.Getegid() {
		return ptrace.FileIDs{}
	}
	return ptrace.FileIDs{UID: box.RootUID, GID: box.RootGID}
}

// stream is a pipe with one end for the guest and one for us.
type stream struct{ guest, ours *os.File }

func (c *container) makePipes() (in, out, errp stream, err error) {
	mk := func(guestReads bool) (stream, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return stream{}, fmt.Errorf("pipe: %w", err)
		}
		if guestReads {
			c.pipes = append(c.pipes, w)
			return stream{r, w}, nil
		}
		c.pipes = append(c.pipes, r)
		return stream{w, r}, nil
	}
	if in, err = mk(true); err != nil {
		return
	}
	if out, err = mk(false); err != nil {
		return
	}
	errp, err = mk(false)
	return
}

// close ends everything that is left, in reverse order of creation.
func (c *container) close() error {
	var err error
	if c.box != nil {
		err = c.box.Close()
	}
	if c.fs != nil {
		if e := c.fs.Close(); err == nil {
			err = e
		}
	}
	for _, p := range c.pipes {
		p.Close()
	}
	return err
}

// pinToOneCPU keeps supervisor, file system server and guest on the CPU where
// we happen to run: a stop across CPUs costs several times as much, and only
// one of them runs at a time. The guest cannot see which one it is.
func pinToOneCPU() {
	var cpu, node int
	if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uptr(&cpu), uptr(&node), 0); e != 0 {
		return
	}
	var set unix.CPUSet
	set.Set(int(int32(cpu)))
	_ = unix.SchedSetaffinity(0, &set)
}
