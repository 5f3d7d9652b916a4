package run

import (
	"strings"

	"dettrace/internal/detfs"
	"dettrace/internal/fastpath"
	"dettrace/internal/kernel"
	"dettrace/internal/procfs"
	"dettrace/internal/sandbox"

	"golang.org/x/sys/unix"
)

// fsConfig says what the guest's tree is made of.
func (c *container) fsConfig() detfs.Config {
	s := &c.spec
	proc, sys := c.machineFiles()
	sys.Files = append(sys.Files, regionFile())
	cfg := detfs.Config{
		Epoch:    s.EpochNS,
		StateDir: s.StateDir,
		HostTime: c.open.Time,
		SingleID: c.mode == sandbox.IDsSingle,
		Profile:  s.Profile,
		Digests:  s.Digests,
		Resume:   s.resumed().Changes,
		Mounts:   []detfs.Mount{{Guest: "/", Ref: s.Image, Store: s.Store, Label: "image"}},
		Dirs:     append(baseDirs(s.Workdir), ownDirs(s.Own)...),
		Static:   []detfs.StaticTree{proc, sys},
		Files:    append(c.etcFiles(), deviceFiles()...),
	}
	for i := range cfg.Dirs {
		for _, in := range s.Inputs {
			if strings.HasPrefix(in.Guest, cfg.Dirs[i].Path+"/") {
				cfg.Dirs[i].Fresh = false // an input is below it
			}
		}
	}
	for _, in := range s.Inputs {
		cfg.Mounts = append(cfg.Mounts, detfs.Mount{
			Guest: in.Guest, Ref: "input:" + in.Host, KeepMtime: in.KeepMtime, FollowLinks: in.Follow, Hide: in.Hide, Label: detfs.LabelInput,
		})
	}
	for i := range cfg.Mounts {
		cfg.Mounts[i].HostOrder = s.HostOrder
	}
	c.varyFiles(&cfg)
	return cfg
}

// baseDirs exist in every container, whatever the image has.
func baseDirs(workdir string) []detfs.Dir {
	return []detfs.Dir{
		{Path: "/tmp", Mode: 0o1777, Fresh: true},
		{Path: "/var/tmp", Mode: 0o1777, Fresh: true},
		{Path: "/proc", Mode: 0o555, Fresh: true},
		{Path: "/sys", Mode: 0o555, Fresh: true},
		{Path: "/dev", Mode: 0o755, Fresh: true, Volume: kernel.VolumeDev},
		{Path: "/dev/pts", Mode: 0o755},
		{Path: "/dev/shm", Mode: 0o1777, Volume: kernel.VolumeShm},
		{Path: "/dev/mqueue", Mode: 0o1777},
		{Path: "/run", Mode: 0o755, Fresh: true},
		{Path: "/run/lock", Mode: 0o1777},
		{Path: "/root", Mode: 0o700},
		{Path: "/home", Mode: 0o755},
		{Path: "/build", Mode: 0o755},
		{Path: workdir, Mode: 0o755},
	}
}

// ownDirs are what a profile makes for its user.
func ownDirs(paths []string) (dirs []detfs.Dir) {
	for _, p := range paths {
		dirs = append(dirs, detfs.Dir{Path: p, Mode: 0o755})
	}
	return dirs
}

// deviceFiles are the entries of /dev: places to bind the host's harmless
// nodes over, and links.
func deviceFiles() []detfs.StaticFile {
	var fs []detfs.StaticFile
	for _, n := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"tty", 5, 0}, {"random", 1, 8}, {"urandom", 1, 9}} {
		fs = append(fs, detfs.StaticFile{Path: "/dev/" + n.name, Mode: 0o666, Serial: kernel.DeviceSerial(n.major, n.minor)})
	}
	for _, l := range [][2]string{
		{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
	} {
		fs = append(fs, detfs.StaticFile{Path: "/dev/" + l[0], Mode: 0o777, Content: []byte(l[1]), Link: true})
	}
	return fs
}

// boxConfig says how the sandbox is made.
func (c *container) boxConfig(in, out, errp stream) sandbox.Config {
	s := &c.spec
	return sandbox.Config{
		Hostname: c.mach.Hostname, Domainname: c.mach.Domainname,
		UID: c.user.uid, GID: c.user.gid, Groups: c.user.groups,
		Cwd: s.Workdir, Network: c.open.Network, ASLR: c.open.ASLR,
		BindProc: procfs.ProcBind(), KeepProc: procfs.ProcKeep(), Rlimits: rlimits(s),
		Umask: s.umask(), FirstPid: s.firstPid(),
		MemoryMax: s.Memory, PidsMax: s.Pids,
		Stdin: in.guest, Stdout: out.guest, Stderr: errp.guest,
		Serve:  c.fs.Serve,
		Shared: regionPath, SharedSize: fastpath.FileSize,
	}
}

// infinity is RLIM_INFINITY.
const infinity = ^uint64(0)

// rlimits are the same for everybody and low enough for every host, where a
// plain user's hard limits are often 4096 files or 1024 processes.
func rlimits(s *Spec) []sandbox.Rlimit {
	limits := []sandbox.Rlimit{
		{Resource: unix.RLIMIT_AS, Soft: infinity, Hard: infinity},
		{Resource: unix.RLIMIT_DATA, Soft: infinity, Hard: infinity},
		{Resource: unix.RLIMIT_FSIZE, Soft: infinity, Hard: infinity},
		{Resource: unix.RLIMIT_STACK, Soft: 8 << 20, Hard: 8 << 20},
		{Resource: unix.RLIMIT_NOFILE, Soft: 1024, Hard: 4096},
		{Resource: unix.RLIMIT_CORE, Soft: 0, Hard: 0},
		{Resource: unix.RLIMIT_MEMLOCK, Soft: 64 << 10, Hard: 64 << 10},
		{Resource: unix.RLIMIT_MSGQUEUE, Soft: 819200, Hard: 819200},
		{Resource: unix.RLIMIT_NICE, Soft: 0, Hard: 0},
		{Resource: unix.RLIMIT_RTPRIO, Soft: 0, Hard: 0},
	}
	if s.Pids > 0 {
		// Counted per user namespace (ucounts, Linux 5.14), so the host's
		// processes do not matter; pid 1 is one of them.
		n := uint64(s.Pids) + 1
		limits = append(limits, sandbox.Rlimit{Resource: unix.RLIMIT_NPROC, Soft: n, Hard: n})
	}
	return limits
}
