package sandbox

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"dettrace/internal/initproc"
)

// StageMain is the subcommand StageCommand: pid 1 of the new namespaces
// until it becomes the init program. It returns only when something failed,
// after telling the supervisor.
func StageMain(args []string) int {
	// Credentials, capabilities and the cgroup namespace are set for this
	// thread only; the execve(2) at the end makes it the only one.
	runtime.LockOSThread()
	if len(args) != 0 {
		return 2
	}
	err := stage(initproc.ControlFD)
	var e *Error
	if !errors.As(err, &e) {
		e = stepError("stage", err, "").(*Error)
	}
	// Nobody to tell if this fails too: the supervisor is gone.
	_ = send(initproc.ControlFD, kindError, e)
	return 1
}

// stage does everything between clone(2) and the exec of the init program.
func stage(sock int) error {
	var cfg stageConfig
	if _, err := expect(sock, kindConfig, &cfg); err != nil {
		return stepError("receive configuration", err, "")
	}
	fuse := -1
	if cfg.Tree == "" {
		// Before the change of ids: the device may be for host root only.
		var err error
		if fuse, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return stepError("open /dev/fuse", err, fuseHint(err))
		}
	}
	if err := becomeGuestRoot(cfg.Mode); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return stepError("make cgroup namespace", err, "")
	}
	b := builder{cfg: &cfg, sock: sock, fuse: fuse, shared: noShared}
	lastPid, err := b.build()
	if err != nil {
		return err
	}
	if err := identity(&cfg.Config); err != nil {
		return err
	}
	if err := openStdio(); err != nil {
		return err
	}
	if err := unix.Chdir(cfg.Cwd); err != nil {
		return stepError("working directory "+cfg.Cwd, err, "")
	}
	return becomeInit(sock, lastPid, &cfg, &b)
}

// becomeGuestRoot takes the guest's ids 0 where the process has unmapped ones.
// Raw calls: only this thread matters.
func becomeGuestRoot(mode IDMode) error {
	if mode == IDsSingle {
		return nil // 0 is mapped to what we are; setgroups(2) is denied
	}
	for _, c := range []struct {
		name string
		nr   uintptr
		n    uintptr
	}{
		{"setgroups", unix.SYS_SETGROUPS, 0},
		{"setresgid", unix.SYS_SETRESGID, 0},
		{"setresuid", unix.SYS_SETRESUID, 0},
	} {
		if _, _, e := unix.RawSyscall(c.nr, c.n, 0, 0); e != 0 {
			return stepError(c.name, e, "")
		}
	}
	// The change of ids made /proc/self belong to the host's root (proc(5)).
	return stepError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0), "")
}

// identity sets what belongs to the process or its uts and net namespaces.
func identity(cfg *Config) error {
	if err := unix.Sethostname([]byte(cfg.Hostname)); err != nil {
		return stepError("set host name", err, "")
	}
	if err := unix.Setdomainname([]byte(cfg.Domainname)); err != nil {
		return stepError("set domain name", err, "")
	}
	if !cfg.Network {
		if err := loopbackUp(); err != nil {
			return stepError("bring loopback up", err, "")
		}
	}
	umask := cfg.Umask
	if umask == 0 {
		umask = 0o022
	}
	unix.Umask(umask)
	// A session keyring of the guest's own, not the caller's (keyctl(2)). A
	// kernel without keyrings, or a quota used up, is no reason to stop:
	// the guest is not let through to keyctl(2) anyway.
	_, _, _ = unix.RawSyscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
	return nil
}

// loopbackUp is "ip link set lo up" (netdevice(7)).
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == unix.EAFNOSUPPORT {
		return nil // a kernel without IPv4 has no loopback to bring up
	}
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
}

// openStdio puts the guest's /dev/null where the caller gave no stdio; the Go
// runtime has put the host's there.
func openStdio() error {
	var host, fd unix.Stat_t
	if err := unix.Stat("/dev/null", &host); err != nil || host.Mode&unix.S_IFMT != unix.S_IFCHR {
		return nil // the tree has no /dev/null
	}
	for i := range 3 {
		if err := unix.Fstat(i, &fd); err != nil || fd.Mode&unix.S_IFMT != unix.S_IFCHR || fd.Rdev != host.Rdev {
			continue
		}
		n, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Dup3(n, i, 0)
			unix.Close(n)
		}
		if err != nil {
			return stepError("open /dev/null", err, "")
		}
	}
	return nil
}

// becomeInit drops what the guest must not have and executes the init program.
func becomeInit(sock, lastPid int, cfg *stageConfig, b *builder) error {
	img := initproc.Build(&initproc.Params{
		UID: cfg.UID, GID: cfg.GID, Groups: cfg.Groups, SetGroups: cfg.Mode == IDsAll,
		ChildCaps: guestCaps, InitCaps: initCaps, FirstPid: cfg.FirstPid,
	})
	prog, err := memfd(img.File)
	if err != nil {
		return err
	}
	b.devs.SyscallAddr, b.devs.ScratchAddr, b.devs.ScratchLen = img.SyscallAddr, img.ScratchAddr, img.ScratchLen
	if err := send(sock, kindReady, b.devs, b.shared.files()...); err != nil {
		return stepError("report", err, "")
	}
	if err := placeDescriptors(lastPid); err != nil {
		return err
	}
	if err := limitBounding(guestCaps | initCaps); err != nil {
		return stepError("limit capabilities", err, "")
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return stepError("set no_new_privs", err, "")
	}
	if cfg.Network {
		if err := confineUnix(); err != nil {
			return stepError("confine unix sockets", err, "")
		}
	}
	const addrNoRandomize = 0x0040000 // personality(2)
	persona := uintptr(addrNoRandomize)
	if cfg.ASLR {
		persona = 0
	}
	if _, _, e := unix.RawSyscall(unix.SYS_PERSONALITY, persona, 0, 0); e != 0 {
		return stepError("personality", e, "")
	}
	for _, l := range cfg.Rlimits {
		lim := unix.Rlimit{Cur: l.Soft, Max: l.Hard}
		if err := unix.Prlimit(0, l.Resource, &lim, nil); err != nil {
			return limitError(l, err)
		}
	}
	return stepError("execute init", execMemfd(prog), execHint())
}

// placeDescriptors leaves the control socket and ns_last_pid where init
// expects them, and marks everything above for closing at exec.
func placeDescriptors(lastPid int) error {
	// ControlFD is where it is; see Start.
	if lastPid != initproc.LastPidFD {
		if err := unix.Dup3(lastPid, initproc.LastPidFD, 0); err != nil {
			return stepError("place descriptors", err, "")
		}
	} else if _, err := unix.FcntlInt(uintptr(lastPid), unix.F_SETFD, 0); err != nil {
		return stepError("place descriptors", err, "")
	}
	return stepError("close descriptors",
		unix.CloseRange(initproc.LastPidFD+1, ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC), "")
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
		return -1, stepError("write init", errors.Join(err), "")
	}
	return fd, nil
}

func execHint() string {
	if v := sysctl("vm/memfd_noexec"); v == "2" {
		return "anonymous executable files are off: sysctl -w vm.memfd_noexec=1"
	}
	return ""
}

func fuseHint(err error) string {
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return "load the module: modprobe fuse (in a container, pass the device: --device /dev/fuse)"
	case errors.Is(err, os.ErrPermission):
		return "let users open it: chmod 666 /dev/fuse"
	}
	return ""
}
