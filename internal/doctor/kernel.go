package doctor

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/sandbox"
)

func fuseDevice() Check {
	c := Check{Name: "/dev/fuse", Status: OK, Found: "can be opened", Gives: "the deterministic file system"}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
		unix.Close(fd)
		return c
	case unix.ENOENT, unix.ENXIO, unix.ENODEV:
		return c.missing(reason(err), "dettrace cannot run", "modprobe fuse; in a container: add the device (docker: --device /dev/fuse)")
	}
	return c.missing(reason(err), "dettrace cannot run", "as root: chmod 666 /dev/fuse")
}

// procfs looks for mounts over parts of /proc: the kernel then refuses a fresh
// one in a user namespace (mount_namespaces(7)).
func procfs() Check {
	c := Check{Name: "/proc", Status: OK, Found: "nothing is mounted over parts of it", Gives: "a procfs of the container's own"}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return c.missing(reason(err), "dettrace cannot run", "mount -t proc proc /proc")
	}
	if over := maskedProc(string(b)); len(over) > 0 {
		return c.missing("covered: "+strings.Join(over, ", "), "dettrace cannot run: the kernel refuses a fresh procfs",
			"run with an unmasked /proc (docker: --security-opt systempaths=unconfined)")
	}
	return c
}

// maskedProc lists the mount points below /proc that hide something; binfmt_misc
// is mounted on a directory that is empty for that purpose.
func maskedProc(mountinfo string) []string {
	var over []string
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) > 4 && strings.HasPrefix(f[4], "/proc/") && f[4] != "/proc/sys/fs/binfmt_misc" && f[4] != "/proc/fs/nfsd" {
			over = append(over, f[4])
		}
	}
	return over
}

// ptraceScope reads Yama's setting; dettrace traces its own descendants.
func ptraceScope() Check {
	c := Check{Name: "ptrace", Status: OK, Found: "allowed", Gives: "stopping the calls that must be controlled"}
	scope, ok := sysctl("kernel/yama/ptrace_scope")
	if !ok {
		return c
	}
	c.Found = "kernel.yama.ptrace_scope = " + scope
	switch n, _ := strconv.Atoi(scope); {
	case n == 3:
		return c.missing(c.Found, "dettrace cannot run", "kernel.yama.ptrace_scope=1 in /etc/sysctl.d, and a reboot: 3 cannot be undone")
	case n == 2 && os.Geteuid() != 0:
		return c.missing(c.Found, "dettrace cannot run without root", "sysctl -w kernel.yama.ptrace_scope=1")
	}
	return c
}

// seccomp asks whether a filter may hand calls to a tracer (seccomp(2)).
func seccomp() Check {
	c := Check{Name: "seccomp filters", Status: OK, Found: "SECCOMP_RET_TRACE", Gives: "calls that need no control run without a stop"}
	if err := actionAvailable(unix.SECCOMP_RET_TRACE); err != nil {
		return c.missing(reason(err), "dettrace cannot run", "the kernel needs CONFIG_SECCOMP_FILTER")
	}
	return c
}

func ids() Check {
	c := Check{Name: "user ids", Status: OK, Found: "65536 of the guest's own", Gives: "guest users as real ids, so that the kernel checks permissions between them"}
	if sandbox.DetectIDs() == sandbox.IDsAll {
		return c
	}
	return c.limited("one", "every guest process is root for the kernel; chown and stat still show what was asked for, and --user takes only 0",
		"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER; install newuidmap (package uidmap)")
}

func cgroups() Check {
	c := Check{Name: "cgroups", Status: OK, Gives: "--memory and --pids kept by the kernel"}
	c.Found = strings.Join(sandbox.CgroupControllers(), ", ")
	if c.Found == "" {
		return c.limited("none can be made", "--memory is watched by dettrace, every 20 ms, and the kernel may find the guest over it later",
			"run below a delegated cgroup: systemd-run --user --scope -p Delegate=yes dettrace ...")
	}
	return c
}

// clockPages tells whether the kernel lets the guest unmap its clock pages.
func clockPages() Check {
	c := Check{Name: "clock pages", Status: OK, Found: "can be unmapped", Gives: "no clock of the host can be read by address"}
	b, err := os.ReadFile("/proc/self/smaps")
	if err == nil && sealedVvar(string(b)) {
		return c.limited("sealed (CONFIG_MSEAL_SYSTEM_MAPPINGS)", "a program that looks for the kernel's clock pages finds them; no library does", "")
	}
	return c
}

// sealedVvar looks for the flag sl of the mapping [vvar] (proc_pid_smaps(5)).
func sealedVvar(smaps string) bool {
	in := false
	for line := range strings.Lines(smaps) {
		if f := strings.Fields(line); len(f) > 0 && strings.Contains(f[0], "-") {
			in = f[len(f)-1] == "[vvar]"
		} else if in && strings.HasPrefix(line, "VmFlags:") {
			return slices.Contains(strings.Fields(line), "sl")
		}
	}
	return false
}

// pidTranslation is quicker with an ioctl of Linux 6.11 (ioctl_nsfs(2)).
func pidTranslation() Check {
	c := Check{Name: "pid translation", Status: OK, Found: "NS_GET_PID_IN_PIDNS", Gives: "births without a look into /proc"}
	fd, err := unix.Open("/proc/self/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return c.limited(reason(err), "a few microseconds at each birth", "mount /proc")
	}
	defer unix.Close(fd)
	const nsGetPidInPidns = 0x8004b708
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), nsGetPidInPidns, uintptr(os.Getpid())); e != 0 {
		return c.limited("none", "a few microseconds at each birth", "Linux 6.11 or newer")
	}
	return c
}

// sysctl reads a file below /proc/sys.
func sysctl(name string) (string, bool) {
	b, err := os.ReadFile("/proc/sys/" + name)
	return strings.TrimSpace(string(b)), err == nil
}

func memory() Check {
	c := Check{Name: "memory", Status: OK, Gives: "room for what the guest maps (8 GiB unless --memory says otherwise)"}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return c.limited(reason(err), "unknown", "")
	}
	total := info.Totalram * uint64(info.Unit)
	c.Found = fmt.Sprintf("%d MiB", total>>20)
	if mode, ok := sysctl("vm/overcommit_memory"); ok && mode == "2" {
		return c.limited(c.Found+", vm.overcommit_memory = 2", "large mappings can fail by the host's size instead of --memory", "sysctl -w vm.overcommit_memory=0")
	}
	if total < 4<<30 {
		return c.limited(c.Found, "large mappings can fail by the host's size instead of --memory", "a host with 4 GiB")
	}
	return c
}

func stateSpace(dir string) Check {
	c := Check{Name: "state directory", Status: OK, Gives: "what the guest writes, until the run ends (--state-dir)"}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return c.missing(dir+": "+reason(err), "dettrace cannot run without --state-dir", "make it, or name another with --state-dir")
	}
	free := st.Bavail * uint64(st.Bsize)
	c.Found = fmt.Sprintf("%s, %d MiB free", dir, free>>20)
	if free < 1<<30 {
		return c.limited(c.Found, "builds that write more end with an error", "free some, or name another with --state-dir")
	}
	return c
}
