package sandbox

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"dettrace/internal/initproc"
)

// stage is what pid 1 does before it forks pid 2, as a script: it makes the
// mounts and drops what the guest must not have.
type stage struct {
	*initproc.Script
	cfg  *stageConfig
	base string // where the FUSE root is staged
	root string // the guest's root below it

	does []step // what each step is for
	// report is sent when all is done: KindReady, and behind it a struct stat of
	// each of the guest's file systems (stats).
	report uint64

	shared       fdSlot // the mount of the file of Config.Shared, attached nowhere
	sharedRights uint64 // passes the file on to the supervisor; 0: there is none
}

// stageConfig is all that the script is made from.
type stageConfig struct {
	Config
	Mode IDMode
	// Tree is a directory to use in place of a FUSE file system: tests of
	// this package have no server.
	Tree string
}

// step explains a failed call.
type step struct {
	name   string
	detail func(error) error // a whole error, or nil
	hint   func(error) string
}

// fdSlot is the address where a script keeps a descriptor.
type fdSlot uint64

// Descriptors of the stage besides those of package initproc.
const (
	programFD = initproc.LastPidFD // its own program, until ns_last_pid takes the place
	fuseFD    = 9
)

// The file systems whose st_dev is reported.
const (
	statRoot = iota
	statProc
	statDevpts
	statMqueue
	stats
)

const statSize = int(unsafe.Sizeof(unix.Stat_t{}))

// newStage writes the script. The only calls made here look at files.
func newStage(cfg *stageConfig) (*stage, error) {
	s := &stage{Script: &initproc.Script{}, cfg: cfg, does: make([]step, 0, 320)}
	s.report = s.Space(8 + stats*statSize)
	s.do("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, s.Words(0), 0, 8) // see child.start
	s.do("receive configuration", unix.SYS_READ, initproc.ControlFD, s.Space(8), 8).Some = true
	if cfg.Tree == "" {
		// Before the change of ids: the device may be for host root only.
		fuse := s.slot()
		s.do("open /dev/fuse", unix.SYS_OPENAT, cwd, "/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC).Save = uint64(fuse)
		s.hint(fuseHint)
		s.do("open /dev/fuse", unix.SYS_DUP3, fuse, fuseFD, unix.O_CLOEXEC)
		s.do("open /dev/fuse", unix.SYS_CLOSE, fuse)
	}
	if cfg.Mode == IDsAll { // else 0 is mapped to what we are; setgroups(2) is denied
		s.do("setgroups", unix.SYS_SETGROUPS, 0, 0)
		s.do("setresgid", unix.SYS_SETRESGID, 0, 0, 0)
		s.do("setresuid", unix.SYS_SETRESUID, 0, 0, 0)
		// The change of ids made /proc/self belong to the host's root (proc(5)).
		s.do("prctl", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	}
	s.do("make cgroup namespace", unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
	if err := s.build(); err != nil {
		return nil, err
	}
	s.identity()
	s.openStdio()
	s.do("working directory "+cfg.Cwd, unix.SYS_CHDIR, cfg.Cwd)
	s.restrict()
	return s, nil
}

// cwd is AT_FDCWD.
const cwd = unix.AT_FDCWD

// do appends a call. Arguments are numbers, text (placed with a NUL), or
// descriptors in a slot. The result is valid until the next one is appended.
func (s *stage) do(name string, nr uintptr, args ...any) *initproc.Step {
	p := initproc.Step{NR: nr}
	for i, a := range args {
		switch a := a.(type) {
		case int:
			p.Args[i] = uint64(a)
		case uint64:
			p.Args[i] = a
		case string:
			p.Args[i] = s.String(a)
		case fdSlot:
			p.Args[i] = uint64(a)
			p.From |= 1 << i
		default:
			panic(fmt.Sprintf("sandbox: %s: argument of type %T", name, a))
		}
	}
	s.does = append(s.does, step{name: name})
	return s.Add(p)
}

// hint says what to do when the last step fails.
func (s *stage) hint(f func(error) string) { s.does[len(s.does)-1].hint = f }

// slot makes a place for a descriptor.
func (s *stage) slot() fdSlot { return fdSlot(s.Space(8)) }

// ifThere appends a look at path: if nothing is there, the next skip steps are
// left out.
func (s *stage) ifThere(path string, skip int) {
	p := s.do("look at "+path, unix.SYS_FACCESSAT2, cwd, path, 0, unix.AT_SYMLINK_NOFOLLOW)
	p.Allow[0], p.Skip = uint16(unix.ENOENT), skip
}

// notThere appends a look at path, which fails if something is there.
func (s *stage) notThere(path string) {
	p := s.do("bind "+path, unix.SYS_FACCESSAT2, cwd, path, 0, unix.AT_SYMLINK_NOFOLLOW)
	p.Allow[0], p.Some = uint16(unix.ENOENT), true
	s.does[len(s.does)-1].detail = func(error) error { return stepError("bind "+path, unix.ENOENT, "") }
}

// explain is the error of a failed step.
func (s *stage) explain(e *initproc.StepError) error {
	if e.Step >= len(s.does) {
		return e
	}
	d := s.does[e.Step]
	if d.detail != nil {
		return d.detail(e.Err)
	}
	hint := ""
	if d.hint != nil {
		hint = d.hint(e.Err)
	}
	return stepError(d.name, e.Err, hint)
}

// send appends a message of n bytes at data, the first of which is its kind, with
// the descriptor in rights, if that is not 0.
func (s *stage) send(name string, kind byte, data uint64, n int, rights uint64) {
	s.Put(data, []byte{kind})
	size := uint64(0)
	if rights != 0 {
		size = uint64(unix.CmsgSpace(4))
	}
	hdr := s.Words(0, 0, s.Words(data, uint64(n)), 1, rights, size, 0) // struct msghdr
	s.do(name, unix.SYS_SENDMSG, initproc.ControlFD, hdr, unix.MSG_NOSIGNAL)
}

// rights places the control message that passes a descriptor on (cmsg(3)); the
// descriptor may also be written there later, at fd.
func (s *stage) rights(n int) (msg uint64, fd fdSlot) {
	msg = s.Bytes(unix.UnixRights(n))
	return msg, fdSlot(msg + uint64(unix.CmsgLen(0)))
}

// identity sets what belongs to the process or its uts and net namespaces.
func (s *stage) identity() {
	cfg := s.cfg
	s.do("set host name", unix.SYS_SETHOSTNAME, cfg.Hostname, len(cfg.Hostname))
	s.do("set domain name", unix.SYS_SETDOMAINNAME, cfg.Domainname, len(cfg.Domainname))
	if !cfg.Network {
		s.loopbackUp()
	}
	umask := cfg.Umask
	if umask == 0 {
		umask = 0o022
	}
	s.do("umask", unix.SYS_UMASK, umask)
	// A session keyring of the guest's own, not the caller's (keyctl(2)). A
	// kernel without keyrings, or a quota used up, is no reason to stop:
	// the guest is not let through to keyctl(2) anyway.
	s.do("keyctl", unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0).Ignore = true
}

// loopbackUp is "ip link set lo up" (netdevice(7)).
func (s *stage) loopbackUp() {
	const name = "bring loopback up"
	sock := s.slot()
	p := s.do(name, unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	p.Save = uint64(sock)
	p.Allow[0], p.Skip = uint16(unix.EAFNOSUPPORT), 2 // a kernel without IPv4 has no loopback to bring up
	ifreq := make([]byte, 40)
	copy(ifreq, "lo")
	ifreq[unix.IFNAMSIZ] = unix.IFF_UP | unix.IFF_RUNNING
	s.do(name, unix.SYS_IOCTL, sock, unix.SIOCSIFFLAGS, s.Bytes(ifreq))
	s.do(name, unix.SYS_CLOSE, sock)
}

// openStdio puts the guest's /dev/null where the caller gave no stdio, if the
// tree has one; the host's is there.
func (s *stage) openStdio() {
	for i, f := range []*os.File{s.cfg.Stdin, s.cfg.Stdout, s.cfg.Stderr} {
		if f != nil {
			continue
		}
		null := s.slot()
		p := s.do("open /dev/null", unix.SYS_OPENAT, cwd, "/dev/null", unix.O_RDWR|unix.O_CLOEXEC)
		p.Save = uint64(null)
		p.Allow[0], p.Skip = uint16(unix.ENOENT), 2
		s.do("open /dev/null", unix.SYS_DUP3, null, i, 0)
		s.do("open /dev/null", unix.SYS_CLOSE, null)
	}
}

// restrict drops what the guest must not have, reports, and leaves only the
// descriptors that package initproc knows.
func (s *stage) restrict() {
	cfg := s.cfg
	for c := range 64 {
		if (guestCaps|initCaps)&(1<<c) == 0 {
			// EINVAL: beyond the kernel's last capability
			s.do("limit capabilities", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0).Allow[0] = uint16(unix.EINVAL)
		}
	}
	// Else the guest could ask what the host's processes inherit.
	s.do("allow huge pages", unix.SYS_PRCTL, unix.PR_SET_THP_DISABLE, 0, 0, 0, 0)
	s.do("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if cfg.Network {
		s.confineUnix()
	}
	for _, l := range cfg.Rlimits {
		s.do("set resource limit", unix.SYS_PRLIMIT64, 0, l.Resource, s.Words(l.Soft, l.Hard), 0)
		s.does[len(s.does)-1].detail = func(err error) error { return limitError(l, err) }
	}
	s.send("report", kindReady, s.report, 8+stats*statSize, s.sharedRights)
	s.do("close descriptors", unix.SYS_CLOSE_RANGE, initproc.LastPidFD+1, 1<<32-1, 0)
}

// confineUnix keeps the guest from abstract unix sockets of the host, whose
// network namespace it shares, whatever thread asks (landlock(7), scoped domains, Linux
// 6.12). On an older kernel the supervisor alone looks at the addresses, which
// another thread of the guest could exchange behind its back.
func (s *stage) confineUnix() {
	const name = "confine unix sockets"
	rules := s.slot()
	attr := []uint64{0, 0, unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET} // struct landlock_ruleset_attr
	p := s.do(name, unix.SYS_LANDLOCK_CREATE_RULESET, s.Words(attr...), 8*len(attr), 0)
	p.Save = uint64(rules)
	p.Allow = [4]uint16{uint16(unix.ENOSYS), uint16(unix.EOPNOTSUPP), uint16(unix.EINVAL), uint16(unix.E2BIG)}
	p.Skip = 2
	s.do(name, unix.SYS_LANDLOCK_RESTRICT_SELF, rules, 0)
	s.do(name, unix.SYS_CLOSE, rules)
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
