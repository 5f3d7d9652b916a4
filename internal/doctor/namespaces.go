package doctor

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/sandbox"
)

// kernelVersion asks for the oldest kernel that package sandbox takes.
func kernelVersion() Check {
	c := Check{Name: "kernel", Status: OK, Gives: "close_range(2), pidfd_getfd(2), FUSE_HANDLE_KILLPRIV_V2"}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return c.missing(err.Error(), "dettrace cannot run", "")
	}
	c.Found = unix.ByteSliceToString(u.Release[:])
	if err := sandbox.CheckKernel(c.Found); err != nil {
		return c.missing(c.Found, "dettrace cannot run", "needs "+sandbox.OldestKernel())
	}
	return c
}

func (c Check) missing(found, lost, fix string) Check {
	c.Status, c.Found, c.Lost, c.Fix = Missing, found, lost, fix
	return c
}

func (c Check) limited(found, lost, fix string) Check {
	c.Status, c.Found, c.Lost, c.Fix = Limited, found, lost, fix
	return c
}

// chroot tells whether / is no mount point of ours, as inside chroot(2): the kernel
// then refuses user namespaces (kernel/user_namespace.c, current_chrooted).
func chroot() Check {
	c := Check{Name: "root directory", Status: OK, Found: "a mount point", Gives: "user namespaces: the kernel refuses them inside chroot(2)"}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return c.limited("cannot be told: "+err.Error(), "nothing, if the next checks hold", "mount /proc")
	}
	if !rootIsMount(string(b)) {
		return c.missing("inside a chroot", "user namespaces, and so containers; a container without them could not keep the guest's root from the host",
			"enter the tree with pivot_root(2) instead: unshare -m, mount --rbind TREE TREE, pivot_root; or systemd-nspawn, bwrap")
	}
	return c
}

// rootIsMount looks for "/" among the mount points, the fifth field of
// mountinfo (proc_pid_mountinfo(5)).
func rootIsMount(mountinfo string) bool {
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == "/" {
			return true
		}
	}
	return false
}

// userNamespaces makes one.
func userNamespaces() Check {
	c := Check{Name: "user namespaces", Status: OK, Found: "can be made", Gives: "a container without root, whose root is nobody outside"}
	if err := tryNamespaces(unix.CLONE_NEWUSER); err != nil {
		return c.missing(reason(err), "dettrace cannot run", sandbox.NamespaceAdvice(err))
	}
	return c
}

// otherNamespaces makes each kind that a container has.
func otherNamespaces() Check {
	c := Check{Name: "namespaces in it", Status: OK, Gives: "processes, mounts, names, IPC and network of its own"}
	var have, lack []string
	var fix string
	for _, ns := range []struct {
		name string
		flag uintptr
	}{
		{"pid", unix.CLONE_NEWPID}, {"mnt", unix.CLONE_NEWNS}, {"uts", unix.CLONE_NEWUTS},
		{"ipc", unix.CLONE_NEWIPC}, {"net", unix.CLONE_NEWNET}, {"cgroup", unix.CLONE_NEWCGROUP},
	} {
		if err := tryNamespaces(unix.CLONE_NEWUSER | ns.flag); err != nil {
			lack = append(lack, ns.name+" ("+reason(err)+")")
			fix = sandbox.NamespaceAdvice(err)
			continue
		}
		have = append(have, ns.name)
	}
	c.Found = strings.Join(have, ", ")
	if len(lack) > 0 {
		return c.missing("refused: "+strings.Join(lack, ", "), "dettrace cannot run", fix)
	}
	return c
}

// tryNamespaces makes a process in new namespaces that comes to nothing: it
// fails at its exec, with an error that only a name that is too long gives.
func tryNamespaces(flags uintptr) error {
	tooLong := strings.Repeat("x", unix.PathMax)
	_, err := syscall.ForkExec(tooLong, []string{tooLong}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{
			Cloneflags:  flags,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		},
	})
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return nil
	}
	return err
}

// reason is an error without the names that Go puts before it.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}
