package vdso

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const childEnv = "VDSO_TEST_CHILD"

// TestMain lets this test binary, a Go program, be the traced child.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		_ = time.Now()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestRealPrograms runs programs of several runtimes twice under ptrace: with
// the kernel's vDSO they read the clock without a system call, with ours each
// read is one.
func TestRealPrograms(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, prog := range [][]string{
		{self},          // Go
		{"date", "+%N"}, // glibc
		{"bash", "-c", "echo $EPOCHREALTIME $SECONDS"}, // gettimeofday(2), time(2)
		{"busybox", "date"},                            // static glibc or musl
	} {
		path, err := exec.LookPath(prog[0])
		if err != nil {
			t.Logf("%s: not here", prog[0])
			continue
		}
		t.Run(prog[0][max(0, len(prog[0])-9):], func(t *testing.T) {
			if n := clockCalls(t, path, prog, false); n != 0 {
				t.Skipf("makes %d clock calls with the kernel's vDSO too", n)
			}
			if n := clockCalls(t, path, prog, true); n == 0 {
				t.Error("no clock call with our vDSO")
			}
		})
	}
}

// clockCalls traces one run of a program and counts its clock calls.
func clockCalls(t *testing.T, path string, argv []string, replace bool) (n int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := os.StartProcess(path, argv, &os.ProcAttr{
		Files: []*os.File{null, null, null},
		Env:   append(os.Environ(), childEnv+"=1"),
		Sys:   &unix.SysProcAttr{Ptrace: true},
	})
	if errors.Is(err, unix.EPERM) {
		t.Skip("ptrace is not allowed here")
	}
	if err != nil {
		t.Fatal(err)
	}
	var st unix.WaitStatus
	if _, err := unix.Wait4(p.Pid, &st, 0, nil); err != nil || !st.Stopped() {
		t.Fatalf("no exec stop: %#x, %v", st, err)
	}
	if err := unix.PtraceSetOptions(p.Pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL|unix.PTRACE_O_TRACECLONE); err != nil {
		t.Fatal(err)
	}
	if replace {
		replaceImage(t, p.Pid)
	}
	for pid := p.Pid; ; {
		if st.Stopped() {
			if err := unix.PtraceSyscall(pid, deliver(st)); err != nil && !errors.Is(err, unix.ESRCH) {
				t.Fatal(err)
			}
		}
		if pid, err = unix.Wait4(-1, &st, unix.WALL, nil); err != nil {
			t.Fatal(err)
		}
		if pid == p.Pid && !st.Stopped() {
			break
		}
		if st.Stopped() && st.StopSignal() == unix.SIGTRAP|0x80 && clockEntry(pid) {
			n++
		}
	}
	if st.ExitStatus() != 0 {
		t.Errorf("%s ended with %#x (our vDSO: %v)", path, st, replace)
	}
	return n
}

// clockEntry reports a stop at the entry of a clock call, where rax is -ENOSYS.
func clockEntry(pid int) bool {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(pid, &regs) != nil || int64(regs.Rax) != -int64(unix.ENOSYS) {
		return false
	}
	switch regs.Orig_rax {
	case unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_TIME:
		return true
	}
	return false
}

// deliver is the signal to hand on at a stop that is one.
func deliver(st unix.WaitStatus) int {
	if s := st.StopSignal(); st.Stopped() && s != unix.SIGTRAP && s != unix.SIGTRAP|0x80 && s != unix.SIGSTOP {
		return int(s)
	}
	return 0
}

// replaceImage does at an exec stop what the supervisor does.
func replaceImage(t *testing.T, pid int) {
	t.Helper()
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &regs); err != nil {
		t.Fatal(err)
	}
	mem, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/mem", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var a Auxv
	for size := 4096; ; size *= 2 {
		stack := make([]byte, size)
		n, _ := mem.ReadAt(stack, int64(regs.Rsp))
		if a, err = FixAuxv(stack[:n], regs.Rsp, AuxvOpts{Random: &[16]byte{1, 2, 3}}); err == nil {
			break
		}
		if !errors.Is(err, ErrShort) || n < size {
			t.Fatal(err)
		}
	}
	for _, p := range a.Patches {
		if _, err := mem.WriteAt(binary.LittleEndian.AppendUint64(nil, p.Value), int64(p.Addr)); err != nil {
			t.Fatal(err)
		}
	}
	host, err := ReadHost()
	if err != nil {
		t.Fatal(err)
	}
	img := Cover(host.Code)
	regs.Rip = PutEntry(img, &Entry{Base: a.SysinfoEHDR, Data: uint64(host.Data), Program: regs.Rip})
	if _, err := mem.WriteAt(img, int64(a.SysinfoEHDR)); err != nil {
		t.Fatal(err)
	}
	if err := unix.PtraceSetRegs(pid, &regs); err != nil {
		t.Fatal(err)
	}
}
