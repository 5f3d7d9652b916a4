package ptrace

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// fileIDsNow asks for the thread's: a change to an id that is none returns them.
func fileIDsNow() FileIDs {
	u, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0)
	g, _, _ := unix.RawSyscall(unix.SYS_SETFSGID, ^uintptr(0), 0, 0)
	return FileIDs{int(u), int(g)}
}

func TestFileIDs(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := FileIDs{os.Geteuid(), os.Getegid()}
	for _, ids := range []FileIDs{{}, own, {0x70000000, 0x70000001}} {
		want, called := ids, false
		if ids == (FileIDs{}) || os.Geteuid() != 0 { // others may not, and need not
			want = own
		}
		ids.With(func() {
			called = true
			if got := fileIDsNow(); got != want {
				t.Errorf("with %+v: %+v", ids, got)
			}
		})
		if got := fileIDsNow(); !called || got != own {
			t.Errorf("after %+v: %+v, called %v", ids, got, called)
		}
		if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 1 {
			t.Errorf("after %+v: dumpable %d, %v", ids, n, err)
		}
	}
}
