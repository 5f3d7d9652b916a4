package kernel

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fdClass says what kind of file a descriptor refers to. Files are classified
// by what they are, never by the path that led to them.
type fdClass uint8

const (
	fdBad   fdClass = iota
	fdTree          // regular file or directory of our file system
	fdFifo          // pipe or FIFO
	fdStdin         // the guest's standard streams as dettrace made them
	fdStdout
	fdStderr
	fdSocket
	fdProc   // procfs
	fdRandom // /dev/random, /dev/urandom
	fdNull   // null, zero, full: deterministic in the kernel
	fdTTY    // pty master or slave
	fdEvent  // eventfd
	fdAnon   // any other anonymous inode: epoll, inotify, signalfd, pidfd, memfd
	fdMem    // memfd and other tmpfs files
	fdMqueue
	fdOther // anything else: not ours, not known
)

// file is a descriptor of the guest, duplicated into the supervisor.
type file struct {
	fd    int // ours; the caller closes it
	class fdClass
	mode  uint32
	dev   uint64
	ino   uint64
	rdev  uint64
	flags int // of F_GETFL, if known
	known bool
}

func (f *file) close() {
	if f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
	}
}

// status gives the flags with which f is open, -1 if they are not known.
func (f *file) status() int {
	if !f.known {
		f.flags, f.known = statusFlags(f.fd), true
	}
	return f.flags
}

func (f *file) nonblock() bool {
	fl := f.status()
	return fl >= 0 && fl&unix.O_NONBLOCK != 0
}

// file fetches guest descriptor n of t's process. The class is fdBad, and
// nothing is to be closed, when there is no such descriptor.
func (k *Kernel) file(t *Task, n int) file {
	pidfd := t.proc.pidfd
	if t.proc.leaderGone() { // a dead leader has no descriptors any more
		if x, err := unix.PidfdOpen(t.tid, unix.O_EXCL); err == nil { // PIDFD_THREAD, Linux 6.9
			defer unix.Close(x)
			pidfd = x
		}
	}
	r, _, e := unix.RawSyscall(unix.SYS_PIDFD_GETFD, uintptr(pidfd), uintptr(n), 0)
	switch e {
	case 0:
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM:
		// Not the guest's doing: "no such descriptor" would be a wrong answer.
		k.Stop(fmt.Errorf("hold a descriptor of %s: %w", t.proc.describe(), e))
		return file{fd: -1}
	default:
		return file{fd: -1}
	}
	f := file{fd: int(r)}
	var stx unix.Statx_t
	e = statxFD(f.fd, &stx)
	// Our mount belongs to the guest's user namespace, so FUSE lets us ask for
	// nothing but the type of the file system (fs/fuse/inode.c, fuse_statfs).
	// The guest can reach no other FUSE mount.
	if e != 0 {
		var sf unix.Statfs_t
		if err := unix.Fstatfs(f.fd, &sf); err != nil || sf.Type != unix.FUSE_SUPER_MAGIC {
			f.class = fdOther
			return f
		}
		f.class, f.dev = fdTree, k.cfg.FuseDev
		if k.fifos {
			if _, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETPIPE_SZ, 0); err == nil {
				f.class, f.mode = fdFifo, unix.S_IFIFO
				f.ino = fdinfoNumber(f.fd, "ino:\t")
			}
		}
		return f
	}
	f.mode = uint32(stx.Mode)
	f.dev = unix.Mkdev(stx.Dev_major, stx.Dev_minor)
	f.rdev = unix.Mkdev(stx.Rdev_major, stx.Rdev_minor)
	f.ino = stx.Ino
	f.class = k.classify(&f)
	k.terminals = k.terminals || f.class == fdTTY
	return f
}

func (k *Kernel) classify(f *file) fdClass {
	switch f.mode & unix.S_IFMT {
	case unix.S_IFIFO:
		if c := k.stdio.class(f); c != fdBad {
			return c
		}
		return fdFifo
	case unix.S_IFSOCK:
		return fdSocket
	case unix.S_IFCHR:
		switch maj, min := unix.Major(f.rdev), unix.Minor(f.rdev); {
		case maj == 1 && (min == 3 || min == 5 || min == 7):
			return fdNull
		case maj == 1 && (min == 8 || min == 9):
			return fdRandom
		case maj == 5 && min <= 2, maj >= 136 && maj <= 143:
			return fdTTY
		}
		return fdOther
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK:
		switch f.dev {
		case k.cfg.FuseDev:
			return fdTree
		case k.cfg.ProcDev:
			return fdProc
		case k.cfg.MqueueDev:
			return fdMqueue
		case k.cfg.DevptsDev:
			return fdTTY
		}
		if strings.HasPrefix(f.link(), "/memfd:") || strings.HasPrefix(f.link(), "/SYSV") || strings.HasPrefix(f.link(), "/dev/zero") {
			return fdMem
		}
		return fdOther
	case 0: // anonymous inode
		if f.link() == "anon_inode:[eventfd]" {
			return fdEvent
		}
		return fdAnon
	}
	return fdOther
}

// link is what /proc says the descriptor refers to.
func (f *file) link() string {
	s, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(f.fd))
	return s
}

// procPath is the path of a procfs file inside its mount: "123/stat". gone
// says that it is no longer there, since its process is dead and reaped.
func (f *file) procPath() (rel string, gone bool) {
	l, gone := strings.CutSuffix(f.link(), " (deleted)")
	l = strings.TrimPrefix(strings.TrimPrefix(l, "/"), "proc")
	return strings.TrimPrefix(l, "/"), gone
}

// readable and writable tell how the file is open; O_PATH is neither.
func (f *file) readable() bool {
	fl := f.status()
	return fl >= 0 && fl&unix.O_PATH == 0 && fl&unix.O_ACCMODE != unix.O_WRONLY
}

func (f *file) writable() bool {
	fl := f.status()
	return fl >= 0 && fl&unix.O_PATH == 0 && fl&unix.O_ACCMODE != unix.O_RDONLY
}

// stream reports whether f has no offset.
func (f *file) stream() bool {
	switch f.class {
	case fdStdin, fdStdout, fdStderr, fdFifo, fdSocket, fdTTY, fdEvent, fdAnon:
		return true
	}
	return false
}

// ready asks without blocking whether one of the poll(2) events is there.
func (f *file) ready(events int16) bool {
	return pollNow(f.fd, events)
}
