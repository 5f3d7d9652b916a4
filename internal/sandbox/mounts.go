package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Host directories over which the file system may be staged, in order; the
// guest never sees them, they only must exist.
func stagingPlaces() []string { return []string{"/tmp", "/mnt", "/run", "/sys", "/usr"} }

// builder makes the guest's mount tree.
type builder struct {
	cfg  *stageConfig
	sock int
	fuse int
	base string // where the FUSE root is staged
	root string // the guest's root below it
	devs ready

	shared sharedFile
}

// build mounts everything, makes the guest's root ours and detaches the
// host's tree. It returns a descriptor of ns_last_pid, opened while the
// kernel's own /proc/sys was still in sight.
func (b *builder) build() (lastPid int, err error) {
	// No mount event may come in from the host or go out to it.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return -1, stepError("make mounts private", err, mountHint(err))
	}
	if err := b.mountTree(); err != nil {
		return -1, err
	}
	if err := b.mountProc(); err != nil {
		return -1, err
	}
	lastPid, err = unix.Open(b.root+"/proc/sys/kernel/ns_last_pid", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, stepError("open ns_last_pid", err, "the kernel needs CONFIG_CHECKPOINT_RESTORE")
	}
	for _, step := range []func() error{b.bindProc, b.makeShared, b.bindSys, b.bindShared, b.bindDevices, b.mountDevpts, b.mountMqueue, b.enter} {
		if err := step(); err != nil {
			return -1, err
		}
	}
	return lastPid, nil
}

// mountTree mounts the file system over some host directory and has the
// supervisor serve it before anything in it is touched.
func (b *builder) mountTree() error {
	// nosuid: without it the kernel asks for file capabilities at every exec;
	// no_new_privs makes them void anyway.
	flags, kind, data, source := uintptr(unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME), "fuse", fmt.Sprintf(
		"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", b.fuse), "dettrace"
	if b.cfg.Tree != "" {
		flags, kind, data, source = unix.MS_BIND|unix.MS_REC, "", "", b.cfg.Tree
	}
	err := error(unix.ENOENT)
	for _, b.base = range stagingPlaces() {
		if err = unix.Mount(source, b.base, kind, flags, data); err != unix.ENOENT && err != unix.ENOTDIR {
			break
		}
	}
	if err != nil {
		hint := mountHint(err)
		if errors.Is(err, unix.ENODEV) {
			hint = "load the module: modprobe fuse"
		}
		return stepError("mount the root file system", err, hint)
	}
	if b.fuse >= 0 {
		if err := send(b.sock, kindFuse, nil, b.fuse); err != nil {
			return stepError("hand over /dev/fuse", err, "")
		}
		unix.Close(b.fuse)
		if _, err := expect(b.sock, kindServed, nil); err != nil {
			return stepError("wait for the file system server", err, "")
		}
	}
	b.root = b.base + "/root"
	// pivot_root(2) wants a mount point.
	if err := unix.Mount(b.root, b.root, "", unix.MS_BIND, ""); err != nil {
		return stepError("bind the root", err, "")
	}
	b.devs.FuseDev, err = deviceOf(b.root)
	return stepError("stat the root", err, "")
}

// mountProc mounts a procfs of the new pid namespace.
func (b *builder) mountProc() error {
	p := b.root + "/proc"
	err := unix.Mount("proc", p, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil {
		hint := mountHint(err)
		if errors.Is(err, unix.EPERM) && hint == "" {
			hint = "something is mounted over parts of the host's /proc (as containers do), and then the kernel " +
				"refuses a fresh one (mount_namespaces(7)); run with an unmasked /proc " +
				"(docker: --security-opt systempaths=unconfined)"
		}
		return stepError("mount proc", err, hint)
	}
	b.devs.ProcDev, err = deviceOf(p)
	return stepError("stat proc", err, "")
}

// bindProc puts our files over the kernel's, except for those to keep.
func (b *builder) bindProc() error {
	kept, err := b.keepProc()
	if err != nil {
		return err
	}
	for _, name := range b.cfg.BindProc {
		if !fs.ValidPath(name) || name == "." {
			return &Error{Step: "bind /proc", Detail: fmt.Sprintf("bad name %q", name)}
		}
		target := b.root + "/proc/" + name
		err := unix.Mount(b.base+"/proc/"+name, target, "", unix.MS_BIND, "")
		if errors.Is(err, unix.ENOENT) && !exists(target) {
			continue // this kernel has no such entry
		}
		if err != nil {
			return stepError("bind /proc/"+name, err, "")
		}
	}
	for _, f := range kept {
		err := unix.MoveMount(f.fd, "", unix.AT_FDCWD, b.root+"/proc/"+f.name, unix.MOVE_MOUNT_F_EMPTY_PATH)
		unix.Close(f.fd)
		if err != nil {
			return stepError("bind /proc/"+f.name, err, "")
		}
	}
	return nil
}

// procFile is a mount of one file of procfs, attached nowhere.
type procFile struct {
	name string
	fd   int
}

// keepProc takes hold of the kernel's files that are about to be covered.
func (b *builder) keepProc() ([]procFile, error) {
	var kept []procFile
	for _, name := range b.cfg.KeepProc {
		if !fs.ValidPath(name) || name == "." {
			return nil, &Error{Step: "bind /proc", Detail: fmt.Sprintf("bad name %q", name)}
		}
		fd, err := unix.OpenTree(unix.AT_FDCWD, b.root+"/proc/"+name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if errors.Is(err, unix.ENOENT) {
			continue // this kernel has no such entry
		}
		if err != nil {
			return nil, stepError("hold /proc/"+name, err, "")
		}
		kept = append(kept, procFile{name, fd})
	}
	return kept, nil
}

func (b *builder) bindSys() error {
	return stepError("bind /sys", unix.Mount(b.base+"/sys", b.root+"/sys", "", unix.MS_BIND, ""), "")
}

// bindDevices binds the host's device nodes: a device node of a file system
// mounted in a user namespace does not work.
func (b *builder) bindDevices() error {
	for _, name := range []string{"null", "zero", "full", "tty", "random", "urandom"} {
		target := b.root + "/dev/" + name
		err := unix.Mount("/dev/"+name, target, "", unix.MS_BIND, "")
		if errors.Is(err, unix.ENOENT) && !exists(target) {
			continue // the tree has no such file
		}
		if err != nil {
			return stepError("bind /dev/"+name, err, "the host's /dev must have its standard nodes (null(4), random(4), tty(4))")
		}
	}
	return nil
}

// mountDevpts gives the guest ptys of its own. Group 5 is tty everywhere.
func (b *builder) mountDevpts() error {
	data := "newinstance,ptmxmode=0666,mode=0620"
	if b.cfg.Mode == IDsAll {
		data += ",gid=5"
	}
	p := b.root + "/dev/pts"
	err := unix.Mount("devpts", p, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, data)
	if errors.Is(err, unix.ENOENT) && !exists(p) {
		return nil
	}
	if err == nil {
		b.devs.DevptsDev, err = deviceOf(p)
	}
	return stepError("mount devpts", err, mountHint(err))
}

// mountMqueue is optional: a kernel may lack POSIX message queues.
func (b *builder) mountMqueue() error {
	p := b.root + "/dev/mqueue"
	if unix.Mount("mqueue", p, "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") != nil {
		return nil
	}
	var err error
	b.devs.MqueueDev, err = deviceOf(p)
	return stepError("stat mqueue", err, "")
}

// enter makes the guest's root ours. pivot_root(".", ".") stacks the old root
// over the new one (pivot_root(2)); detaching it takes the host's whole tree
// and the staged FUSE root out of reach.
func (b *builder) enter() error {
	if err := unix.Chdir(b.root); err != nil {
		return stepError("enter the root", err, "")
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return stepError("pivot_root", err, "the host's root must be a mount that pivot_root(2) can leave, not the initial ramfs or a chroot")
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return stepError("detach the host's root", err, "")
	}
	return stepError("enter the root", unix.Chdir("/"), "")
}

// deviceOf is st_dev as stat(2) reports it.
func deviceOf(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return st.Dev, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
