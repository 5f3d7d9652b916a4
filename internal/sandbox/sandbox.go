package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/initproc"
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

	// Shared is the file of Config.Shared; Close closes it.
	Shared *os.File

	// CgroupMemory tells whether Config.MemoryMax is enforced by a cgroup.
	CgroupMemory bool

	sock    int // control socket; only Start, SetLastPid and Close use it
	pidfd   int // of pid 1
	cgroups cgroups

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
	s := &Sandbox{sock: -1, pidfd: -1}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.spawn(&cfg, ids); err != nil {
		return nil, err
	}
	if ids.helpers {
		if err := ids.runHelpers(s.InitPid); err != nil {
			return nil, err
		}
	}
	s.cgroups = makeCgroups(s.InitPid, cfg.MemoryMax, cfg.PidsMax)
	s.CgroupMemory = s.cgroups.memory
	if err := send(s.sock, kindConfig, stageConfig{Config: cfg, Mode: mode, Tree: tree}); err != nil {
		return nil, s.lost("send configuration", err)
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
	attr := &syscall.SysProcAttr{
		Cloneflags:  flags,
		Setsid:      true,
		AmbientCaps: stageCaps(),
		PidFD:       &s.pidfd,
	}
	if !ids.helpers {
		attr.UidMappings, attr.GidMappings = ids.uid, ids.gid
		attr.GidMappingsEnableSetgroups = ids.uid[0].Size > 1
	}
	// One thread and no garbage collection: the stage lives for milliseconds.
	env := []string{"GOMAXPROCS=1", "GOGC=off"}
	// /proc/self/exe and not os.Executable: the stage's root has no power
	// over directories of the host that only their owner may search.
	s.InitPid, err = syscall.ForkExec("/proc/self/exe", []string{"dettrace", StageCommand}, &syscall.ProcAttr{
		Env:   env,
		Files: []uintptr{fileFD(cfg.Stdin), fileFD(cfg.Stdout), fileFD(cfg.Stderr), uintptr(pair[1])},
		Sys:   attr,
	})
	if err != nil {
		return cloneError(err)
	}
	return nil
}

// fileFD is the descriptor for ForkExec; none for nil.
func fileFD(f *os.File) uintptr {
	if f == nil {
		return ^uintptr(0)
	}
	return f.Fd()
}

// serve passes the /dev/fuse descriptor to the server and lets the stage go on.
func (s *Sandbox) serve(serve func(*os.File) error) error {
	m, err := expect(s.sock, kindFuse, nil)
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
	if err := send(s.sock, kindServed, nil); err != nil {
		return s.lost("continue the stage", err)
	}
	return nil
}

// awaitGuest waits until pid 2 is ready.
func (s *Sandbox) awaitGuest() error {
	var r ready
	ms, err := expect(s.sock, kindReady, &r)
	if err != nil {
		return s.lost("wait for the stage", err)
	}
	if ms.fd >= 0 {
		s.Shared = os.NewFile(uintptr(ms.fd), "shared")
	}
	s.FuseDev, s.ProcDev, s.DevptsDev, s.MqueueDev = r.FuseDev, r.ProcDev, r.DevptsDev, r.MqueueDev
	s.SyscallAddr, s.ScratchAddr, s.ScratchLen = r.SyscallAddr, r.ScratchAddr, r.ScratchLen
	m, err := s.fromInit()
	if err != nil {
		return s.lost("wait for pid 2", err)
	}
	if m.data[0] != initproc.KindGuest {
		return &Error{Step: "wait for pid 2", Detail: "unexpected message"}
	}
	s.GuestPid = m.pid
	return nil
}

// fromInit receives one message of the init program; an error the stage sent
// after it was ready is returned as such.
func (s *Sandbox) fromInit() (message, error) {
	m, err := receive(s.sock, make([]byte, maxMessage))
	if err != nil {
		return m, err
	}
	if m.data[0] == kindError {
		return m, decodeError(m.data[1:])
	}
	_, err = initproc.ParseMessage(m.data)
	return m, err
}

// lost explains a broken control socket.
func (s *Sandbox) lost(step string, err error) error {
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
