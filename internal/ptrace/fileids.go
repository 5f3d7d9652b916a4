package ptrace

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// FileIDs are the host's ids of the guest's root. Reading memory of a tracee can
// make the kernel read the file that is mapped there, ahead as well, in our name. A
// FUSE file system refuses to read ahead for somebody whose ids its user namespace
// does not map, and from then on the guest has to ask for each page by itself.
// The zero value is for supervisors whose ids are mapped.
type FileIDs struct{ UID, GID int }

// With calls f with these ids for access to files (setfsuid(2)), and none of root's
// powers over files.
func (ids FileIDs) With(f func()) {
	if ids == (FileIDs{}) {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	uid, gid := unix.Geteuid(), unix.Getegid()
	setFileIDs(ids.UID, ids.GID)
	defer func() {
		setFileIDs(uid, gid)
		// The change made /proc/self belong to root, as that of a set-user-ID program.
		_, _, _ = unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0, 0)
	}()
	f()
}

// setFileIDs changes the calling thread's only; where it is refused, nothing changes.
func setFileIDs(uid, gid int) {
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(gid), 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
}
