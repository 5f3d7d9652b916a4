package sandbox

import (
	"encoding/binary"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawCall is a system call of a child that has our memory.
type rawCall struct {
	nr   uintptr
	args [6]uintptr
}

// failure is what became of the calls.
type failure struct {
	index uintptr // of the one that failed
	errno uintptr // 0: none did
}

// vfork starts a child that makes n calls, the last of which must be execve(2), and
// ends at the first that fails (vfork_amd64.s). pid is -errno if there is no child.
//
//go:noescape
func vfork(flags uintptr, pidfd *int32, calls *rawCall, n uintptr, failed *failure) (pid uintptr)

// child is a program to start in new namespaces. syscall.ForkExec would copy our
// page tables for it, only to throw them away at the exec: with CLONE_NEWUSER it
// does not share memory, as it has the child wait for its ids.
type child struct {
	flags uintptr   // of clone(2)
	files []uintptr // its descriptors from 0 on; none of them may be one of these numbers
	caps  []uintptr // capabilities that it keeps although its ids are not mapped yet
	path  string
}

// start starts it as leader of a session of its own, with all signals blocked. An
// error is of step: "clone", or that of the child.
func (c *child) start() (pid, pidfd int, step string, err error) {
	calls, steps, memory := c.calls()
	// The child must not run a handler of ours: until its exec it has the runtime's
	// memory without being one of its threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	fd, failed := int32(-1), &failure{}
	syscall.ForkLock.Lock() // as syscall.ForkExec: no descriptor is open without O_CLOEXEC now
	if err = unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err == nil {
		n := vfork(c.flags|unix.CLONE_VM|unix.CLONE_VFORK|unix.CLONE_PIDFD|uintptr(unix.SIGCHLD), &fd, &calls[0], uintptr(len(calls)), failed)
		err = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
		pid = int(n)
	}
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(memory)
	switch {
	case err != nil:
		return 0, -1, "block signals", err
	case pid < 0:
		return 0, -1, "clone", unix.Errno(-pid)
	case failed.errno != 0:
		unix.Close(int(fd))
		_, _ = unix.Wait4(pid, nil, 0, nil) // it has ended
		return 0, -1, steps[failed.index], unix.Errno(failed.errno)
	}
	return pid, int(fd), "", nil
}

// calls are what the child does, with a name for each, and the memory to which
// their arguments point.
func (c *child) calls() (calls []rawCall, steps []string, memory []byte) {
	// It must not move, as only numbers point to it: a goroutine's stack would.
	memory = make([]byte, 256+len(c.path))
	base := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	used := 0
	place := func(b []byte) uintptr {
		at := used
		used += (copy(memory[at:], b) + 7) &^ 7
		return base + uintptr(at)
	}
	words := func(list ...uintptr) uintptr {
		var b []byte
		for _, v := range list {
			b = binary.NativeEndian.AppendUint64(b, uint64(v))
		}
		return place(b)
	}
	call := func(step string, nr uintptr, args ...uintptr) {
		r := rawCall{nr: nr}
		copy(r.args[:], args)
		calls, steps = append(calls, r), append(steps, step)
	}
	call("setsid", unix.SYS_SETSID)
	for i, fd := range c.files {
		call("place descriptors", unix.SYS_DUP3, fd, uintptr(i), 0)
	}
	// All powers that the new namespace gives stay, and the ambient ones have to be
	// inheritable (capset(2)).
	var keep uint64
	for _, n := range c.caps {
		keep |= 1 << n
	}
	header := words(unix.LINUX_CAPABILITY_VERSION_3) // and pid 0
	const every, half = 1<<32 - 1, 32
	data := words(every|every<<half, uintptr(keep&every)|every<<half, every|uintptr(keep>>half)<<half)
	call("keep capabilities", unix.SYS_CAPSET, header, data)
	for _, n := range c.caps {
		call("keep capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, n)
	}
	path, name := place(append([]byte(c.path), 0)), place([]byte("init\x00"))
	call("execute init", unix.SYS_EXECVE, path, words(name, 0), words(0))
	return calls, steps, memory
}
