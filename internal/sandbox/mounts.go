package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"dettrace/internal/initproc"
)

// Host directories over which the file system may be staged, in order; the
// guest never sees them, they only must exist.
func stagingPlaces() []string { return []string{"/tmp", "/mnt", "/run", "/sys", "/usr"} }

// build makes the guest's mount tree, makes its root ours and detaches the
// host's.
func (s *stage) build() error {
	// No mount event may come in from the host or go out to it.
	s.mount("make mounts private", "", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	s.hint(mountHint)
	if err := s.mountTree(); err != nil {
		return err
	}
	s.mountProc()
	// Opened while the kernel's own /proc/sys is still in sight.
	lastPid := s.slot()
	const name = "open ns_last_pid"
	s.do(name, unix.SYS_OPENAT, cwd, s.root+"/proc/sys/kernel/ns_last_pid", unix.O_RDWR|unix.O_CLOEXEC).Save = uint64(lastPid)
	s.hint(func(error) string { return "the kernel needs CONFIG_CHECKPOINT_RESTORE" })
	s.do(name, unix.SYS_DUP3, lastPid, initproc.LastPidFD, 0)
	s.do(name, unix.SYS_CLOSE, lastPid)
	if err := s.bindProc(); err != nil {
		return err
	}
	s.makeShared()
	s.mount("bind /sys", s.base+"/sys", s.root+"/sys", "", unix.MS_BIND, "")
	s.bindShared()
	s.bindDevices()
	s.mountDevpts()
	s.mountMqueue()
	s.enter()
	return nil
}

// mount appends a mount(2).
func (s *stage) mount(name, source, target, kind string, flags int, data string) *initproc.Step {
	return s.do(name, unix.SYS_MOUNT, source, target, kind, flags, data)
}

// stat appends a look at st_dev of path, the one with number n.
func (s *stage) stat(name, path string, n int) *initproc.Step {
	return s.do("stat "+name, unix.SYS_NEWFSTATAT, cwd, path, s.report+8+uint64(n*statSize), 0)
}

// mountTree mounts the file system over some host directory and has the
// supervisor serve it before anything in it is touched.
func (s *stage) mountTree() error {
	for _, s.base = range stagingPlaces() {
		var st unix.Stat_t
		if unix.Stat(s.base, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			break
		}
	}
	const name = "mount the root file system"
	if s.cfg.Tree != "" {
		s.mount(name, s.cfg.Tree, s.base, "", unix.MS_BIND|unix.MS_REC, "")
	} else {
		// nosuid: without it the kernel asks for file capabilities at every exec;
		// no_new_privs makes them void anyway.
		s.mount(name, "dettrace", s.base, "fuse", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME,
			fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", fuseFD))
		s.hint(func(err error) string {
			if errors.Is(err, unix.ENODEV) {
				return "load the module: modprobe fuse"
			}
			return mountHint(err)
		})
		fuse, _ := s.rights(fuseFD)
		s.send("hand over /dev/fuse", kindFuse, s.Space(8), 1, fuse)
		s.do("hand over /dev/fuse", unix.SYS_CLOSE, fuseFD)
		s.do("wait for the file system server", unix.SYS_READ, initproc.ControlFD, s.Space(8), 8).Some = true
	}
	s.root = s.base + "/root"
	// pivot_root(2) wants a mount point.
	s.mount("bind the root", s.root, s.root, "", unix.MS_BIND, "")
	s.stat("the root", s.root, statRoot)
	return nil
}

// mountProc mounts a procfs of the new pid namespace.
func (s *stage) mountProc() {
	p := s.root + "/proc"
	s.mount("mount proc", "proc", p, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	s.hint(func(err error) string {
		hint := mountHint(err)
		if errors.Is(err, unix.EPERM) && hint == "" {
			hint = "something is mounted over parts of the host's /proc (as containers do), and then the kernel " +
				"refuses a fresh one (mount_namespaces(7)); run with an unmasked /proc " +
				"(docker: --security-opt systempaths=unconfined)"
		}
		return hint
	})
	s.stat("proc", p, statProc)
}

// bindProc puts our files over the kernel's, where this kernel has them, except
// for those to keep.
func (s *stage) bindProc() error {
	for _, list := range [][]string{s.cfg.BindProc, s.cfg.KeepProc} {
		for _, name := range list {
			if !fs.ValidPath(name) || name == "." {
				return &Error{Step: "bind /proc", Detail: fmt.Sprintf("bad name %q", name)}
			}
		}
	}
	// Hold of the kernel's files that are about to be covered: mounts that are
	// attached nowhere.
	kept := make([]fdSlot, len(s.cfg.KeepProc))
	for i, name := range s.cfg.KeepProc {
		kept[i] = s.slot()
		p := s.do("hold /proc/"+name, unix.SYS_OPEN_TREE, cwd, s.root+"/proc/"+name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		p.Save, p.Allow[0] = uint64(kept[i]), uint16(unix.ENOENT)
	}
	s.learnNames(s.base + "/proc")
	for _, name := range s.cfg.BindProc {
		target := s.root + "/proc/" + name
		m := s.mount("bind /proc/"+name, s.base+"/proc/"+name, target, "", unix.MS_BIND, "")
		m.Allow[0], m.Then = uint16(unix.ENOENT), 1
		s.notThere(target)
	}
	for i, name := range s.cfg.KeepProc {
		s.attach("bind /proc/"+name, kept[i], s.root+"/proc/"+name)
	}
	return nil
}

// learnNames lists a directory of the file system: the kernel then knows its
// entries (FUSE_READDIRPLUS) and asks for none of them by itself. An error is left
// to who comes next.
func (s *stage) learnNames(dir string) {
	fd := s.slot()
	p := s.do("list "+dir, unix.SYS_OPENAT, cwd, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	p.Save, p.Ignore = uint64(fd), true
	s.do("list "+dir, unix.SYS_GETDENTS64, fd, initproc.Buffer, 32<<10).Ignore = true
	s.do("list "+dir, unix.SYS_CLOSE, fd).Ignore = true
}

// attach appends the move of a mount that is attached nowhere; it is left out if
// there is none.
func (s *stage) attach(name string, mount fdSlot, path string) {
	s.do(name, unix.SYS_MOVE_MOUNT, mount, s.String(""), cwd, path, unix.MOVE_MOUNT_F_EMPTY_PATH).Unless = uint64(mount)
	s.do(name, unix.SYS_CLOSE, mount).Unless = uint64(mount)
}

// bindDevices binds the host's device nodes, where the tree has the files: a
// device node of a file system mounted in a user namespace does not work. Where the
// one id that the guest has is their owner, it could change their modes for the
// whole host; a device on a read-only mount can be written to all the same.
func (s *stage) bindDevices() {
	attr := []uint64{unix.MOUNT_ATTR_RDONLY, 0, 0, 0} // struct mount_attr
	readOnly := s.Words(attr...)
	for _, name := range []string{"null", "zero", "full", "tty", "random", "urandom"} {
		target := s.root + "/dev/" + name
		own := s.cfg.Mode == IDsSingle && isOurs("/dev/"+name)
		skip := 1
		if own {
			skip++
		}
		s.ifThere(target, skip)
		s.mount("bind /dev/"+name, "/dev/"+name, target, "", unix.MS_BIND, "")
		s.hint(func(error) string {
			return "the host's /dev must have its standard nodes (null(4), random(4), tty(4))"
		})
		if own {
			s.do("protect /dev/"+name, unix.SYS_MOUNT_SETATTR, cwd, target, 0, readOnly, 8*len(attr))
		}
	}
}

// isOurs reports whether a file belongs to who runs dettrace.
func isOurs(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && int(st.Uid) == os.Geteuid()
}

// mountDevpts gives the guest ptys of its own, if the tree has the directory.
// Group 5 is tty everywhere.
func (s *stage) mountDevpts() {
	data := "newinstance,ptmxmode=0666,mode=0620"
	if s.cfg.Mode == IDsAll {
		data += ",gid=5"
	}
	p := s.root + "/dev/pts"
	s.ifThere(p, 2)
	s.mount("mount devpts", "devpts", p, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, data)
	s.hint(mountHint)
	s.stat("devpts", p, statDevpts)
}

// mountMqueue is optional: a kernel may lack POSIX message queues.
func (s *stage) mountMqueue() {
	p, done := s.root+"/dev/mqueue", s.slot()
	m := s.mount("mount mqueue", "mqueue", p, "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	m.Save, m.Ignore = uint64(done), true
	s.stat("mqueue", p, statMqueue).Unless = uint64(done)
}

// enter makes the guest's root ours. pivot_root(".", ".") stacks the old root
// over the new one (pivot_root(2)); detaching it takes the host's whole tree
// and the staged FUSE root out of reach.
func (s *stage) enter() {
	s.do("enter the root", unix.SYS_CHDIR, s.root)
	s.do("pivot_root", unix.SYS_PIVOT_ROOT, ".", ".")
	s.hint(func(error) string {
		return "the host's root must be a mount that pivot_root(2) can leave, not the initial ramfs or a chroot"
	})
	s.do("detach the host's root", unix.SYS_UMOUNT2, ".", unix.MNT_DETACH)
	s.do("enter the root", unix.SYS_CHDIR, "/")
}
