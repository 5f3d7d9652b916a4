package ptrace

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RawSyscall is enough: no ptrace request blocks, and the scheduler's
// bookkeeping around Syscall is a tenth of a stop's cost.
func raw(request, tid int, addr, data uintptr) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return e
}

// GetRegs reads the registers of a stopped tracee into r.
func GetRegs(tid int, r *Regs) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGS, uintptr(tid), 0, uintptr(unsafe.Pointer(r)), 0, 0)
	if e != 0 {
		return fmt.Errorf("ptrace getregs %d: %w", tid, e)
	}
	return nil
}

// FPRegs is struct user_fpregs_struct (sys/user.h): the registers of x87 and SSE
// with their control words, as FXSAVE stores them.
type FPRegs [512]byte

// GetFPRegs reads those of a stopped tracee into r.
func GetFPRegs(tid int, r *FPRegs) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETFPREGS, uintptr(tid), 0, uintptr(unsafe.Pointer(r)), 0, 0)
	if e != 0 {
		return fmt.Errorf("ptrace getfpregs %d: %w", tid, e)
	}
	return nil
}

// SetRegs writes the registers of a stopped tracee.
func SetRegs(tid int, r *Regs) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGS, uintptr(tid), 0, uintptr(unsafe.Pointer(r)), 0, 0)
	if e != 0 {
		return fmt.Errorf("ptrace setregs %d: %w", tid, e)
	}
	return nil
}

// EventMsg is the message of the current PTRACE_EVENT stop.
func EventMsg(tid int) (uint64, error) {
	var msg uint64
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETEVENTMSG, uintptr(tid), 0, uintptr(unsafe.Pointer(&msg)), 0, 0)
	if e != 0 {
		return 0, fmt.Errorf("ptrace geteventmsg %d: %w", tid, e)
	}
	return msg, nil
}

// SigInfo is a raw siginfo_t (signal(7), 128 bytes).
type SigInfo [128]byte

// GetSigInfo reads the siginfo of a signal-delivery stop.
func GetSigInfo(tid int, si *SigInfo) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(tid), 0, uintptr(unsafe.Pointer(si)), 0, 0)
	if e != 0 {
		return fmt.Errorf("ptrace getsiginfo %d: %w", tid, e)
	}
	return nil
}

// SetSigInfo replaces the siginfo of the signal about to be delivered.
func SetSigInfo(tid int, si *SigInfo) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETSIGINFO, uintptr(tid), 0, uintptr(unsafe.Pointer(si)), 0, 0)
	if e != 0 {
		return fmt.Errorf("ptrace setsiginfo %d: %w", tid, e)
	}
	return nil
}

// peekArgs is struct __ptrace_peeksiginfo_args (linux/ptrace.h).
type peekArgs struct {
	off   uint64
	flags uint32
	nr    int32
}

// Queued reports whether a signal waits in one of the queues of a stopped
// tracee, its own or its process's. A signal that found no room there
// (RLIMIT_SIGPENDING) is pending without.
func Queued(tid int) (bool, error) {
	const peekSigInfo, shared = 0x4209, 1
	var si SigInfo
	for flags := range uint32(shared + 1) {
		a := peekArgs{flags: flags, nr: 1}
		n, _, e := unix.RawSyscall6(unix.SYS_PTRACE, peekSigInfo, uintptr(tid), uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&si)), 0, 0)
		if e != 0 {
			return false, fmt.Errorf("ptrace peeksiginfo %d: %w", tid, e)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// ReadMems reads len(p)/size pieces of size bytes, that at each of addrs to its
// place in p, with one process_vm_readv(2), and returns how many are complete:
// the first that cannot be read ends it. At most IOV_MAX (1024) addresses.
func ReadMems(pid int, addrs []uint64, size int, p []byte) int {
	if len(addrs) == 0 || len(p) < size*len(addrs) {
		return 0
	}
	remote := make([]remoteIovec, len(addrs))
	for i, a := range addrs {
		remote[i] = remoteIovec{a, uint64(size)}
	}
	l := unix.Iovec{Base: &p[0], Len: uint64(size * len(addrs))}
	n, _, e := unix.Syscall6(unix.SYS_PROCESS_VM_READV, uintptr(pid), uintptr(unsafe.Pointer(&l)), 1, uintptr(unsafe.Pointer(&remote[0])), uintptr(len(remote)), 0)
	if e != 0 {
		return 0
	}
	return int(n) / size
}

// SigMask reads the blocked signals of a stopped tracee.
func SigMask(tid int) (uint64, error) {
	var m uint64
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGMASK, uintptr(tid), 8, uintptr(unsafe.Pointer(&m)), 0, 0)
	if e != 0 {
		return 0, fmt.Errorf("ptrace getsigmask %d: %w", tid, e)
	}
	return m, nil
}

// SetSigMask sets the blocked signals of a stopped tracee.
func SetSigMask(tid int, m uint64) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETSIGMASK, uintptr(tid), 8, uintptr(unsafe.Pointer(&m)), 0, 0)
	if e != 0 {
		return fmt.Errorf("ptrace setsigmask %d: %w", tid, e)
	}
	return nil
}

// ReadMem reads guest memory with one process_vm_readv(2); n is short when the
// range runs into an unmapped page, and the error is EFAULT only if n is 0.
// Syscall, not RawSyscall: a fault may wait for the file system server.
func ReadMem(pid int, addr uint64, p []byte) (n int, err error) {
	return vmCopy(unix.SYS_PROCESS_VM_READV, pid, addr, p)
}

// ReadMapped is ReadMem for who expects that nothing is there: where the caller's own
// ids do not suffice for a cold page of a file, it reads nothing (see FileIDs).
func ReadMapped(pid int, addr uint64, p []byte) int {
	n, _ := vmPiece(unix.SYS_PROCESS_VM_READV, pid, addr, p)
	return n
}

// WriteMem is the writing twin of ReadMem; it honours page protections, as
// the kernel's copy_to_user would.
func WriteMem(pid int, addr uint64, p []byte) (n int, err error) {
	return vmCopy(unix.SYS_PROCESS_VM_WRITEV, pid, addr, p)
}

func vmCopy(nr uintptr, pid int, addr uint64, p []byte) (int, error) {
	n, e := vmPiece(nr, pid, addr, p)
	if n == len(p) {
		return n, nil
	}
	// Perhaps a cold page of the FUSE root: the kernel makes the READ request
	// in our name and fails with EOVERFLOW (fuse_get_req) when our ids are not
	// mapped in the mount's user namespace. Ask for the rest as the tracee's.
	if back, ok := borrowIDs(pid); ok {
		var more int
		more, e = vmPiece(nr, pid, addr+uint64(n), p[n:])
		n += more
		back()
	}
	if n == 0 && e != 0 {
		return 0, e
	}
	return n, nil
}

func vmPiece(nr uintptr, pid int, addr uint64, p []byte) (int, unix.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	l := unix.Iovec{Base: &p[0], Len: uint64(len(p))}
	r := remoteIovec{addr, uint64(len(p))}
	n, _, e := unix.Syscall6(nr, uintptr(pid), uintptr(unsafe.Pointer(&l)), 1, uintptr(unsafe.Pointer(&r)), 1, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// borrowIDs gives the calling thread, which the caller has locked, the file
// system ids of the tracee's root; nothing else about its credentials changes.
// setfsuid(2) clears the parent-death signal, so it is set again.
func borrowIDs(pid int) (back func(), ok bool) {
	var sig int
	unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&sig)), 0, 0, 0, 0)
	uid, ok1 := firstMapped(pid, "uid_map")
	gid, ok2 := firstMapped(pid, "gid_map")
	if !ok1 || !ok2 {
		return nil, false
	}
	oldGID, _, _ := unix.RawSyscall(unix.SYS_SETFSGID, gid, 0, 0)
	oldUID, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, uid, 0, 0)
	return func() {
		unix.RawSyscall(unix.SYS_SETFSUID, oldUID, 0, 0)
		unix.RawSyscall(unix.SYS_SETFSGID, oldGID, 0, 0)
		unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(sig), 0)
	}, true
}

func firstMapped(pid int, file string) (uintptr, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(b))
	if len(f) < 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(f[1], 10, 32)
	return uintptr(n), err == nil
}

type remoteIovec struct{ base, len uint64 }

func wait4(tid int, ws *uint32, flags int) (int, unix.Errno) {
	p, _, e := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(tid), uintptr(unsafe.Pointer(ws)), uintptr(flags), 0, 0, 0)
	return int(p), e
}

// CallInfo is what PTRACE_GET_SYSCALL_INFO tells of the call at whose entry,
// seccomp or exit stop a tracee stands: all that most decisions need, in one
// request and without the other registers. Needs Linux 5.3.
type CallInfo struct {
	Op   uint8
	_    [3]byte
	Arch uint32
	IP   uint64
	SP   uint64
	// At entry and seccomp stops: Nr, Args and, for seccomp, the filter's
	// data. At exit stops Nr is the result.
	Nr   uint64
	Args [6]uint64
	Data uint32
	_    uint32
}

// Kinds of CallInfo.
const (
	InfoEntry   = 1
	InfoExit    = 2
	InfoSeccomp = 3
)

// GetCallInfo reads the call of a stopped tracee.
func GetCallInfo(tid int, c *CallInfo) error {
	const getSyscallInfo = 0x420e
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(*c), uintptr(unsafe.Pointer(c)), 0, 0)
	if e != 0 {
		return fmt.Errorf("ptrace get_syscall_info %d: %w", tid, e)
	}
	return nil
}
