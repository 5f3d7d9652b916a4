package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/cpu"
	"dettrace/internal/ptrace"
)

// Guest is the container's first process as the sandbox left it: pid 2,
// asleep in a read, with room for what we inject.
type Guest struct {
	InitPid, Pid int    // host pids of pid 1 and pid 2
	SyscallAddr  uint64 // address of a syscall instruction
	ScratchAddr  uint64 // writable memory
	ScratchLen   uint64
}

// ExecError says that the command could not be started.
type ExecError struct {
	Path  string
	Errno unix.Errno
	// Found: the file exists, so 126 and not 127 is the exit status.
	Found bool
	// Interpreter: the file exists, its interpreter does not.
	Interpreter bool
}

func (e *ExecError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Errno) }

// Unwrap gives the errno.
func (e *ExecError) Unwrap() error { return e.Errno }

// Boot seizes the guest's first process, arms the traps and the filter in it, and
// replaces it with the command. The calling goroutine must be locked to its thread.
func (k *Kernel) Boot(g Guest, filter []unix.SockFilter, argv, env []string) error {
	if k.cfg.Machine.CPU.Name == cpu.HostName && k.cfg.Strict {
		return &UncontrolledError{What: hostModel}
	}
	k.init = g.InitPid
	if fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/pid", g.Pid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		k.nsfd = fd
	}
	if err := k.devices.readNamespaces(g.Pid); err != nil {
		return err
	}
	if err := ptrace.Attach(g.Pid); err != nil {
		return err
	}
	var base ptrace.Regs
	if err := ptrace.GetRegs(g.Pid, &base); err != nil {
		return err
	}
	call := func(what string, nr int, args ...uint64) error {
		r, err := ptrace.Inject(g.Pid, &base, g.SyscallAddr, nr, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if r < 0 {
			return fmt.Errorf("%s: %w", what, unix.Errno(-r))
		}
		return nil
	}
	if !k.cfg.Open.Time {
		if err := call("prctl(PR_SET_TSC)", unix.SYS_PRCTL, unix.PR_SET_TSC, unix.PR_TSC_SIGSEGV); err != nil {
			return err
		}
	}
	// Where cpuid can be made to trap, all of it does (arch_prctl(2)); exec ends
	// that, and vdso.Entry begins it again.
	const setCPUID = 0x1012 // ARCH_SET_CPUID
	k.faults = call("arch_prctl(ARCH_SET_CPUID)", unix.SYS_ARCH_PRCTL, setCPUID, 0) == nil
	p, err := k.newProcess(g.Pid, nil)
	if err != nil {
		return err
	}
	k.root = p
	p.limits = k.startLimits()
	t := k.newTask(g.Pid, p)
	k.traceBirth(t, nil)
	k.initAttr.CPUs = k.cpus()
	t.attr = k.initAttr
	p.kin.id = 1
	if err := k.born(t); err != nil {
		return err
	}
	if err := k.openTerminal(t, g, &base); err != nil {
		return err
	}
	k.sched.Next()
	if k.cfg.Open.Threads {
		k.sched.Yield() // it goes on when the run begins
	}
	// struct sock_fprog, then the program.
	prog := make([]byte, 16, 16+8*len(filter))
	binary.LittleEndian.PutUint16(prog, uint16(len(filter)))
	binary.LittleEndian.PutUint64(prog[8:], g.ScratchAddr+16)
	for _, f := range filter {
		prog = binary.LittleEndian.AppendUint16(prog, f.Code)
		prog = append(prog, f.Jt, f.Jf)
		prog = binary.LittleEndian.AppendUint32(prog, f.K)
	}
	if uint64(len(prog)) > g.ScratchLen || !t.write(g.ScratchAddr, prog) {
		return errors.New("write of the seccomp filter failed")
	}
	const setModeFilter = 1
	if err := call("seccomp", unix.SYS_SECCOMP, setModeFilter, 0, g.ScratchAddr); err != nil {
		return err
	}
	return k.execRoot(t, &base, g, argv, env)
}

// execRoot tries the command as execvp(3) does: names without a slash are
// looked up in the guest's PATH.
func (k *Kernel) execRoot(t *Task, base *ptrace.Regs, g Guest, argv, env []string) error {
	list := []string{argv[0]}
	if !strings.Contains(argv[0], "/") {
		list = nil
		for _, e := range env {
			if v, ok := strings.CutPrefix(e, "PATH="); ok {
				for _, d := range strings.Split(v, ":") {
					if d == "" {
						d = "."
					}
					list = append(list, path.Join(d, argv[0]))
				}
			}
		}
	}
	fail := &ExecError{Path: argv[0], Errno: unix.ENOENT}
	// Most of PATH does not have it. The file system says so for all of these at
	// once; the first that it does not say it of probably has it.
	if len(list) > 1 && k.cfg.Missing != nil {
		n, err := k.cfg.Missing(list)
		if err != nil {
			return err
		}
		list = list[min(max(n, 0), len(list)):]
	}
	for i, p := range list {
		block, a, err := execBlock(g.ScratchAddr, g.ScratchLen, p, argv, env)
		if err != nil {
			return err
		}
		if !t.write(g.ScratchAddr, block) {
			return errors.New("write of the command's arguments failed")
		}
		if i > 0 { // this asks faster
			ok, err := k.exists(t, base, g, a.path)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		e, err := k.tryExec(t, base, g, a)
		if err != nil {
			return err
		}
		switch e {
		case 0:
			return nil
		case unix.ENOENT, unix.ENOTDIR:
			ok, err := k.exists(t, base, g, a.path)
			if err != nil {
				return err
			}
			if ok {
				return &ExecError{p, e, true, true}
			}
		default:
			if !fail.Found {
				fail = &ExecError{p, e, true, false}
			}
			if e == unix.EACCES {
				continue
			}
			return fail
		}
	}
	return fail
}

// execArgs are addresses in the guest.
type execArgs struct{ path, argv, envp uint64 }

// execBlock lays out path, argv and envp for execve at addr.
func execBlock(addr, room uint64, p string, argv, env []string) ([]byte, execArgs, error) {
	n := len(argv) + 1 + len(env) + 1
	ptrs := make([]byte, 0, 8*n)
	strs := []byte(p + "\x00")
	base := addr + uint64(8*n)
	for _, list := range [][]string{argv, env} {
		for _, s := range list {
			ptrs = binary.LittleEndian.AppendUint64(ptrs, base+uint64(len(strs)))
			strs = append(append(strs, s...), 0)
		}
		ptrs = binary.LittleEndian.AppendUint64(ptrs, 0)
	}
	if uint64(len(ptrs)+len(strs)) > room {
		return nil, execArgs{}, fmt.Errorf("command line and environment: %w", unix.E2BIG)
	}
	return append(ptrs, strs...), execArgs{base, addr, addr + uint64(8*(len(argv)+1))}, nil
}

// inject makes one call in t with the filter already loaded: calls that the
// filter traces stop once more.
func (k *Kernel) inject(t *Task, base *ptrace.Regs, at uint64, nr int, args ...uint64) (int64, bool, error) {
	r := *base
	r.Rip, r.Rax, r.Orig_rax = at, uint64(nr), ^uint64(0)
	for i := range 6 {
		v := uint64(0)
		if i < len(args) {
			v = args[i]
		}
		t.regs = r
		t.setArg(i, v)
		r = t.regs
	}
	if err := ptrace.SetRegs(t.tid, &r); err != nil {
		return 0, false, err
	}
	entered, execed := false, false
	for {
		if err := ptrace.Syscall(t.tid, 0); err != nil {
			return 0, false, err
		}
		st, err := k.waitStep(t.tid)
		if err != nil {
			return 0, false, err
		}
		switch {
		case st.Dead():
			return 0, false, fmt.Errorf("the guest's first process died (status %#x)", int(st.WaitStatus))
		case st.Event() == unix.PTRACE_EVENT_EXEC:
			execed = true
			if err := k.execStop(t); err != nil {
				return 0, true, err
			}
		case st.SyscallStop() && !entered:
			entered = true
		case st.SyscallStop():
			if execed {
				return 0, true, nil
			}
			if err := ptrace.GetRegs(t.tid, &r); err != nil {
				return 0, false, err
			}
			return int64(r.Rax), false, nil
		}
	}
}

func (k *Kernel) tryExec(t *Task, base *ptrace.Regs, g Guest, a execArgs) (unix.Errno, error) {
	r, ok, err := k.inject(t, base, g.SyscallAddr, unix.SYS_EXECVE, a.path, a.argv, a.envp)
	if err != nil || ok {
		return 0, err
	}
	return unix.Errno(-r), nil
}

func (k *Kernel) exists(t *Task, base *ptrace.Regs, g Guest, p uint64) (bool, error) {
	r, _, err := k.inject(t, base, g.SyscallAddr, unix.SYS_ACCESS, p, unix.F_OK)
	return r != -int64(unix.ENOENT) && r != -int64(unix.ENOTDIR), err
}
