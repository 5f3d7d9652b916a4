package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// segvAction mirrors what a process does on SIGSEGV. A trapped rdtsc is that
// signal for the kernel: where it is blocked or ignored, the kernel unblocks
// it and resets the handler (force_sig_info_to_task, kernel/signal.c) before
// we see the stop. Threads share it as they share their handlers.
type segvAction struct {
	act [32]byte // struct sigaction of the kernel: handler, flags, restorer, mask

}

const (
	sigDfl = 0
	sigIgn = 1

	saResetHand = 0x80000000 // SA_RESETHAND

	sigsetSize = 8 // of the kernel's sigset_t
)

func (a *segvAction) handler() uint64 { return binary.LittleEndian.Uint64(a.act[:]) }

// inherit is the action of a child made with the given clone(2) flags.
func (a *segvAction) inherit(flags uint64) *segvAction {
	if flags&unix.CLONE_SIGHAND != 0 {
		return a
	}
	if flags&unix.CLONE_CLEAR_SIGHAND != 0 {
		return a.afterExec()
	}
	c := *a
	return &c
}

// afterExec is the action in a new image: only SIG_IGN stays (execve(2)).
func (a *segvAction) afterExec() *segvAction {
	if a.handler() == sigIgn {
		c := *a
		return &c
	}
	return &segvAction{}
}

// delivered notes that a true SIGSEGV goes to the handler.
func (a *segvAction) delivered() {
	if a.handler() > sigIgn && binary.LittleEndian.Uint64(a.act[8:])&saResetHand != 0 {
		*a = segvAction{}
	}
}

// sysSigaction implements rt_sigaction(2) of SIGSEGV; the filter lets all
// other signals through.
func sysSigaction(k *Kernel, t *Task) verdict {
	addr := t.arg(1)
	if unix.Signal(t.intArg(0)) != unix.SIGSEGV || addr == 0 {
		return pass
	}
	var act [32]byte
	if t.arg(3) == sigsetSize && t.read(addr, act[:]) {
		// Set even where the old action cannot be stored (rt_sigaction in
		// kernel/signal.c).
		t.proc.segv.act = act
	}
	return pass
}

// restoreSegv undoes what the kernel did to the disposition of SIGSEGV when
// rdtsc trapped in t, which stands at the delivery of that signal. With a
// handler its loss shows that the signal was blocked. Without one nothing
// shows it; whoever blocks all other signals of faults means this one too.
func (k *Kernel) restoreSegv(t *Task) error {
	mask, err := ptrace.SigMask(t.tid)
	if err != nil {
		return ignoreGone(err)
	}
	others := bit(unix.SIGBUS) | bit(unix.SIGFPE) | bit(unix.SIGILL) | bit(unix.SIGTRAP)
	blocked := mask&others == others
	switch a := t.proc.segv; a.handler() {
	case sigDfl:
	case sigIgn:
		if err := k.setSegv(t, a); err != nil {
			return err
		}
	default:
		s, ok := t.sigState()
		if blocked = ok && s.caught&bit(unix.SIGSEGV) == 0; blocked {
			if err := k.setSegv(t, a); err != nil {
				return err
			}
		}
	}
	if blocked {
		return ignoreGone(ptrace.SetSigMask(t.tid, mask|bit(unix.SIGSEGV)))
	}
	return nil
}

// setSegv lets t itself call rt_sigaction(2), with the argument below its red zone.
func (k *Kernel) setSegv(t *Task, a *segvAction) error {
	addr := (t.regs.Rsp - 128 - 64) &^ 15
	var old [32]byte
	if !t.read(addr, old[:]) || !t.write(addr, a.act[:]) {
		return nil // no stack: it could not have a handler either
	}
	defer t.write(addr, old[:])
	return k.callInGuest(t, unix.SYS_RT_SIGACTION, uint64(unix.SIGSEGV), addr, 0, 8)
}

// callAddr is a system call instruction in t's memory: that of our vDSO or,
// where the guest has none of it any more (Valgrind's programs), one in the
// region. 0: the guest wrote over both.
func (k *Kernel) callAddr(t *Task) uint64 {
	list := make([]uint64, 0, 2)
	if t.proc.vdsoBase != 0 {
		list = append(list, t.proc.vdsoBase+k.vdsoCall)
	}
	if k.cfg.Fast != nil && t.proc.mm.fast.mapped {
		list = append(list, k.cfg.Fast.SyscallAddr())
	}
	for _, at := range list {
		if code := [2]byte{}; t.read(at, code[:]) && code == [2]byte{0x0f, 0x05} {
			return at
		}
	}
	return 0
}

// callInGuest lets t make a call and puts its registers back. Without an
// instruction to make it with, the guest keeps what the kernel left.
func (k *Kernel) callInGuest(t *Task, nr int, args ...uint64) error {
	base := t.regs
	at := k.callAddr(t)
	if at == 0 {
		return nil
	}
	mask, err := ptrace.SigMask(t.tid)
	if err != nil {
		return ignoreGone(err)
	}
	if err := ptrace.SetSigMask(t.tid, ^uint64(0)); err != nil {
		return ignoreGone(err)
	}
	_, _, err = k.inject(t, &base, at, nr, args...)
	t.regs = base
	if err != nil {
		return ignoreGone(err)
	}
	if err := ptrace.SetSigMask(t.tid, mask); err != nil {
		return ignoreGone(err)
	}
	return ignoreGone(ptrace.SetRegs(t.tid, &base))
}
