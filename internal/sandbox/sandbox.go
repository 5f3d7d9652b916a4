package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/initproc"
	"dettrace/internal/slack"
)

// Sandbox is a container whose pid 1 is parked and whose pid 2 waits to be
// taken over by ptrace. It is used by one goroutine at a time, but Kill may
// be called from any.
type Sandbox struct {
	InitPid  int // global pid of the guest's pid 1
	GuestPid int // global pid of the guest's pid 2

	// st_dev of the guest's mounts as stat(2) inside reports it; 0 if absent.
	FuseDev, ProcDev, DevptsDev, MqueueDev uint64

	SyscallAddr uint64 // a syscall instruction in pid 2's text
	ScratchAddr uint64 // zeroed private memory of pid 2, for arguments of injected calls
	ScratchLen  uint64

	// RootUID and RootGID are the host's ids of the guest's root.
	RootUID, RootGID int

	// Shared is the file of Config.Shared; Close closes it.
	Shared *os.File

	// CgroupMemory tells whether Config.MemoryMax is enforced by a cgroup.
	CgroupMemory bool

	sock    int // control socket; only Start, SetLastPid and Close use it
	pidfd   int // of pid 1
	cgroups cgroups
	stage   *stage // what pid 1 did, to explain its failure; nil when it has not failed

	mu     sync.Mutex // guards closed, and pidfd against Close
	closed bool
}

// Start makes a container. mode must be what DetectIDs said or weaker. The
// descriptors in cfg stay the caller's. cfg.Serve must have duplicated or
// passed on the descriptor it gets before it returns.
//
// The error is an *Error where a step was refused.
func Start(cfg Config, mode IDMode) (*Sandbox, error) {
	return start(cfg, mode, "")
}

func start(cfg Config, mode IDMode, tree string) (_ *Sandbox, err error) {
	if err := check(&cfg, mode); err != nil {
		return nil, err
	}
	if cfg.Serve == nil && tree == "" {
		return nil, &Error{Step: "start", Detail: "nobody serves the file system"}
	}
	ids, err := plan(mode)
	if err != nil {
		return nil, err
	}
	script, err := newStage(&stageConfig{Config: cfg, Mode: mode, Tree: tree})
	if err != nil {
		return nil, err
	}
	s := &Sandbox{sock: -1, pidfd: -1, stage: script, RootUID: ids.uid[0].HostID, RootGID: ids.gid[0].HostID}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.spawn(&cfg, ids); err != nil {
		return nil, err
	}
	if err := ids.write(s.InitPid); err != nil {
		return nil, err
	}
	s.cgroups = makeCgroups(s.InitPid, cfg.MemoryMax, cfg.PidsMax)
	s.CgroupMemory = s.cgroups.memory
	if err := send(s.sock, kindBegin); err != nil {
		return nil, s.lost("begin", err)
	}
	if tree == "" {
		if err := s.serve(cfg.Serve); err != nil {
			return nil, err
		}
	}
	if err := s.awaitGuest(); err != nil {
		return nil, err
	}
	return s, nil
}

// check refuses what could only fail later with a worse message.
func check(cfg *Config, mode IDMode) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return stepError("uname", err, "")
	}
	if err := checkKernel(unix.ByteSliceToString(u.Release[:])); err != nil {
		return err
	}
	limit := uint32(idCount)
	hint := "guest ids go from 0 to 65535"
	if mode == IDsSingle {
		limit = 1
		hint = "only id 0 is mapped; give the user subordinate ids (subuid(5)) and install newuidmap, or run as root"
	}
	ids := []uint32{cfg.UID, cfg.GID}
	if mode == IDsAll {
		ids = append(ids, cfg.Groups...)
	}
	for _, id := range ids {
		if id >= limit {
			return &Error{Step: "map ids", Detail: fmt.Sprintf("id %d is not mapped", id), Advice: hint}
		}
	}
	return nil
}

// spawn starts the stage in its namespaces.
func (s *Sandbox) spawn(cfg *Config, ids idPlan) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return stepError("make control socket", err, "")
	}
	s.sock = pair[0]
	defer unix.Close(pair[1])
	// The sender's pid comes with each message, translated to our namespace.
	if err := unix.SetsockoptInt(s.sock, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return stepError("make control socket", err, "")
	}
	flags := uintptr(unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC)
	if !cfg.Network {
		flags |= unix.CLONE_NEWNET
	}
	img := initproc.Build(&initproc.Params{
		UID: cfg.UID, GID: cfg.GID, Groups: cfg.Groups, SetGroups: s.stage.cfg.Mode == IDsAll,
		ChildCaps: guestCaps, InitCaps: initCaps, FirstPid: cfg.FirstPid, Script: s.stage.Script,
	})
	s.SyscallAddr, s.ScratchAddr, s.ScratchLen = img.SyscallAddr, img.ScratchAddr, img.ScratchLen
	prog, err := memfd(img.File)
	if err != nil {
		return err
	}
	defer unix.Close(prog)
	std, err := openNull(cfg)
	if err != nil {
		return err
	}
	defer std.close()
	files, err := above(append(std.fds, uintptr(pair[1]), uintptr(prog))) // initproc.ControlFD, programFD
	if err != nil {
		return stepError("place descriptors", err, "")
	}
	defer files.close()
	c := child{flags: flags, files: files.fds, caps: stageCaps(), path: fmt.Sprintf("/proc/self/fd/%d", programFD)}
	step := ""
	err = withPersona(cfg.ASLR, func() error {
		return slack.With(slack.Default, func() (err error) {
			s.InitPid, s.pidfd, step, err = c.start()
			return err
		})
	})
	switch {
	case err == nil:
		return nil
	case step == "clone":
		return cloneError(err)
	case errors.Is(err, unix.EACCES):
		return stepError(step, err, execHint())
	}
	return stepError(step, err, "")
}

// withPersona calls f with addresses of what it starts random or not: they are
// that from the first program in the container (personality(2)).
func withPersona(random bool, f func() error) error {
	const addrNoRandomize, query = 0x0040000, 0xffffffff
	runtime.LockOSThread() // it is the thread's
	defer runtime.UnlockOSThread()
	old, _, e := unix.RawSyscall(unix.SYS_PERSONALITY, query, 0, 0)
	persona := uintptr(addrNoRandomize)
	if random {
		persona = 0
	}
	if e == 0 {
		_, _, e = unix.RawSyscall(unix.SYS_PERSONALITY, persona, 0, 0)
	}
	if e != 0 {
		return stepError("personality", e, "")
	}
	defer unix.RawSyscall(unix.SYS_PERSONALITY, old, 0, 0)
	return f()
}

// stdio are the descriptors that become the guest's 0, 1 and 2.
type stdio struct {
	fds  []uintptr
	null int // the host's /dev/null in place of missing ones, or -1
}

// openNull takes the host's /dev/null for what the caller did not give.
func openNull(cfg *Config) (stdio, error) {
	s := stdio{null: -1}
	for _, f := range []*os.File{cfg.Stdin, cfg.Stdout, cfg.Stderr} {
		if f != nil {
			s.fds = append(s.fds, f.Fd())
			continue
		}
		if s.null < 0 {
			var err error
			if s.null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
				return s, stepError("open /dev/null", err, "")
			}
		}
		s.fds = append(s.fds, uintptr(s.null))
	}
	return s, nil
}

func (s *stdio) close() {
	if s.null >= 0 {
		unix.Close(s.null)
	}
}

// highFiles are descriptors above those that a child places its own at.
type highFiles struct {
	fds   []uintptr
	extra []int // copies
}

// above makes copies of those that are not.
func above(fds []uintptr) (f highFiles, err error) {
	for _, fd := range fds {
		if fd < uintptr(len(fds)) {
			n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, len(fds))
			if err != nil {
				f.close()
				return f, err
			}
			f.extra = append(f.extra, n)
			fd = uintptr(n)
		}
		f.fds = append(f.fds, fd)
	}
	return f, nil
}

func (f *highFiles) close() {
	for _, n := range f.extra {
		unix.Close(n)
	}
}

// memfd makes an executable anonymous file.
func memfd(content []byte) (int, error) {
	const mfdExec = 0x10 // MFD_EXEC, Linux 6.3; see vm.memfd_noexec
	fd, err := unix.MemfdCreate("init", unix.MFD_CLOEXEC|mfdExec)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("init", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return -1, stepError("make init", err, execHint())
	}
	if n, err := unix.Write(fd, content); err != nil || n != len(content) {
		unix.Close(fd)
		return -1, stepError("write init", errors.Join(err), "")
	}
	return fd, nil
}

// serve passes the /dev/fuse descriptor to the server and lets the stage go on.
func (s *Sandbox) serve(serve func(*os.File) error) error {
	m, err := expect(s.sock, kindFuse)
	if err != nil {
		return s.lost("receive /dev/fuse", err)
	}
	if m.fd < 0 {
		return &Error{Step: "receive /dev/fuse", Detail: "no descriptor came"}
	}
	f := os.NewFile(uintptr(m.fd), "/dev/fuse")
	err = serve(f)
	f.Close() // the server has its own; ours would keep a dead mount alive
	if err != nil {
		return fmt.Errorf("sandbox: serve the file system: %w", err)
	}
	if err := send(s.sock, kindServed); err != nil {
		return s.lost("continue the stage", err)
	}
	return nil
}

// awaitGuest waits until pid 2 is ready.
func (s *Sandbox) awaitGuest() error {
	r, err := expect(s.sock, kindReady)
	if err != nil {
		return s.lost("wait for the stage", err)
	}
	if r.fd >= 0 {
		s.Shared = os.NewFile(uintptr(r.fd), "shared")
	}
	if len(r.data) != 8+stats*statSize {
		return &Error{Step: "wait for the stage", Detail: "unexpected message"}
	}
	for i, dev := range []*uint64{statRoot: &s.FuseDev, statProc: &s.ProcDev, statDevpts: &s.DevptsDev, statMqueue: &s.MqueueDev} {
		*dev = binary.NativeEndian.Uint64(r.data[8+i*statSize:]) // st_dev comes first (stat(3type))
	}
	m, err := s.fromInit()
	if err != nil {
		return s.lost("wait for pid 2", err)
	}
	if m.data[0] != initproc.KindGuest {
		return &Error{Step: "wait for pid 2", Detail: "unexpected message"}
	}
	s.GuestPid, s.stage = m.pid, nil
	return nil
}

// fromInit receives one message of the init program.
func (s *Sandbox) fromInit() (message, error) {
	m, err := receive(s.sock, make([]byte, maxMessage))
	if err == nil {
		_, err = initproc.ParseMessage(m.data)
	}
	return m, err
}

// lost explains a broken control socket, or a step of the stage that failed.
func (s *Sandbox) lost(step string, err error) error {
	var failed *initproc.StepError
	if errors.As(err, &failed) && s.stage != nil {
		return s.stage.explain(failed)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return &Error{Step: step, Detail: "pid 1 of the container is gone",
			Advice: "it was killed from outside, or ran out of memory"}
	}
	return stepError(step, err, "")
}

// SetLastPid makes n the last pid given out in the guest: the next one is
// n+1, or the first free one above.
func (s *Sandbox) SetLastPid(n int) error {
	if err := unix.Send(s.sock, strconv.AppendInt(nil, int64(n), 10), unix.MSG_NOSIGNAL); err != nil {
		return s.lost("set last pid", err)
	}
	m, err := s.fromInit()
	if err != nil {
		return s.lost("set last pid", err)
	}
	if m.data[0] != initproc.KindLastPid {
		return &Error{Step: "set last pid", Detail: "unexpected message"}
	}
	return nil
}

// Kill ends pid 1 and with it every process of the container. It does not
// wait; it may be called from any goroutine, any number of times.
func (s *Sandbox) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pidfd >= 0 {
		// ESRCH: it has already ended.
		_ = unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0)
	}
}

// closeTimeout bounds the wait for a killed namespace.
const closeTimeout = 10 * time.Second

// Close kills the container, waits until it is gone, and releases everything.
// Pid 1 cannot end while a tracer has not waited for its dead tracees
// (pid_namespaces(7)), so the caller reaps those first.
func (s *Sandbox) Close() error {
	s.Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.Shared != nil {
		s.Shared.Close()
	}
	if s.pidfd >= 0 {
		err = awaitEnd(s.pidfd)
		// ECHILD: a wait for any child has taken it.
		if e := unix.Waitid(unix.P_PIDFD, s.pidfd, nil, unix.WEXITED|unix.WNOHANG, nil); e != nil && e != unix.ECHILD && err == nil {
			err = stepError("wait for pid 1", e, "")
		}
		unix.Close(s.pidfd)
		s.pidfd = -1
	}
	if s.sock >= 0 {
		unix.Close(s.sock)
		s.sock = -1
	}
	return errors.Join(err, s.cgroups.remove())
}

// awaitEnd waits until the process of a pidfd is a zombie or gone.
func awaitEnd(pidfd int) error {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(closeTimeout.Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return stepError("wait for pid 1", err, "")
		case n == 0:
			return &Error{Step: "wait for pid 1", Detail: "it does not end: a process of the container is stuck, or a tracee was not waited for"}
		}
		return nil
	}
}
