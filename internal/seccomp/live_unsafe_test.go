package seccomp

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"dettrace/internal/syscalls"
)

const childEnv = "SECCOMP_TEST_CHILD"

// TestMain lets this test binary be the process under the filter.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		underFilter()
	}
	os.Exit(m.Run())
}

// underFilter installs the filter on this thread and tries calls; the exit
// status is the number of the first surprise. It must not use the Go runtime
// after that: futex(2) and the like stop, which without a tracer is ENOSYS.
func underFilter() {
	runtime.LockOSThread()
	prog, err := Compile(syscalls.Table(), nil)
	if err != nil {
		os.Exit(100)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		os.Exit(101)
	}
	pid := uintptr(os.Getpid())
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog))); e != 0 {
		os.Exit(102)
	}
	tests := [...]struct {
		nr, a0, a1 uintptr
		want       unix.Errno
	}{
		{unix.SYS_GETPID, 0, 0, 0},
		{unix.SYS_GETPPID, 0, 0, unix.ENOSYS},
		{unix.SYS_GETPGID, 0, 0, 0},
		{unix.SYS_GETPGID, pid, 0, unix.ENOSYS},
		{unix.SYS_FCNTL, 0, unix.F_GETFD, 0},
		{unix.SYS_FCNTL, 0, unix.F_GETOWN, unix.ENOSYS},
		{unix.SYS_KILL, pid, 0, unix.ENOSYS},
		{x32Bit | unix.SYS_GETPID, 0, 0, unix.ENOSYS},
		{syscalls.Newest + 1, 0, 0, unix.ENOSYS},
	}
	status := uintptr(0)
	for i := range tests {
		if _, _, e := unix.RawSyscall(tests[i].nr, tests[i].a0, tests[i].a1, 0); e != tests[i].want {
			status = uintptr(i + 1)
			break
		}
	}
	unix.RawSyscall(unix.SYS_EXIT_GROUP, status, 0, 0)
}

// TestKernelTakesTheProgram runs real calls under the filter, without a tracer.
func TestKernelTakesTheProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd.Stdin = null
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v (the status is the first case that surprised, from 1) %s", err, out)
	}
}
