package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// signalStop is a signal about to be delivered to t. Faults that stand for
// trapped instructions are answered; everything else is delivered.
func (k *Kernel) signalStop(t *Task, sig unix.Signal) (bool, error) {
	t.inCall, t.entering = false, false
	if sig == unix.SIGSEGV {
		ok, err := k.trappedInstruction(t)
		if ok || err != nil {
			return false, err
		}
		t.proc.segv.delivered()
	}
	if sig == unix.SIGTRAP {
		if ok, err := k.entryFault(t); ok || err != nil {
			return false, err
		}
		if ok, err := k.codeLeft(t); ok || err != nil {
			return false, err
		}
	}
	if err := k.leaveRegion(t); err != nil {
		return false, err
	}
	k.stats.Signals++
	k.fixSigInfo(t, sig)
	k.logSignal(t, sig)
	t.sig = sig
	return false, nil
}

// fixSigInfo takes the host out of a signal's siginfo: timers that we fire
// come from the supervisor, and SIGCHLD carries CPU times.
func (k *Kernel) fixSigInfo(t *Task, sig unix.Signal) {
	var si ptrace.SigInfo
	if err := ptrace.GetSigInfo(t.tid, &si); err == nil && k.ownSigInfo(t, sig, si[:]) {
		_ = ptrace.SetSigInfo(t.tid, &si)
	}
}

// ownSigInfo corrects the siginfo_t si of a signal that t gets, by a handler or
// by waiting for it; false means that it is right.
func (k *Kernel) ownSigInfo(t *Task, sig unix.Signal, si []byte) bool {
	code := int32(binary.LittleEndian.Uint32(si[8:]))
	switch {
	case sig == unix.SIGCHLD && code > 0 && !k.cfg.Open.Time:
		// si_utime, si_stime follow pid, uid, status (sigaction(2)).
		putU64(si[32:], uint64(k.childTicks(int(getU32(si[16:])))))
		putU64(si[40:], 0)
	case code == siUser && getU32(si[16:]) == 0:
		// Only the supervisor is outside the guest's pid namespace and so has
		// no number there: this is an interval timer's.
		clear(si[16:])
		binary.LittleEndian.PutUint32(si[8:], siKernel)
	case code == siTimer:
		t.proc.timerDelivered(si)
	default:
		return false
	}
	return true
}

// childTicks is the CPU time, in units of 10 ms, of a process that ended or stopped.
func (k *Kernel) childTicks(vpid int) int64 {
	if p := k.byVPid(vpid); p != nil {
		return p.cpu.used / 1e7
	}
	if d := k.ended[vpid]; d != nil {
		return d.cpu.used / 1e7
	}
	return 0
}

// signalfdSize is that of struct signalfd_siginfo (signalfd(2)).
const signalfdSize = 128

// fixSignalfd corrects the n bytes that t has read from a signalfd.
func (k *Kernel) fixSignalfd(t *Task, n int) {
	if n < signalfdSize {
		return
	}
	b, e := t.gather(n)
	v, e2 := t.buffers()
	if e != 0 || e2 != 0 {
		return
	}
	for ; n >= signalfdSize; n -= signalfdSize {
		s := b[len(b)-n:][:signalfdSize]
		// The same fields as a siginfo_t has, at other places.
		const pid, overrun, utime = 12, 32, 56
		var si [128]byte
		copy(si[:12], s)
		switch int32(getU32(s[8:])) {
		case siTimer:
			copy(si[16:20], s[24:28]) // the timer's number
		default:
			copy(si[16:24], s[pid:])
		}
		if !k.ownSigInfo(t, unix.Signal(getU32(s)), si[:]) {
			continue
		}
		copy(s[:12], si[:])
		if int32(getU32(s[8:])) == siTimer {
			copy(s[overrun:], si[20:24])
		} else {
			copy(s[utime:utime+16], si[32:48])
		}
	}
	t.scatter(v, b)
}

const (
	siUser   = 0
	siKernel = 0x80
)

func bit(s unix.Signal) uint64 { return 1 << (uint(s) - 1) }

// Signals whose default action is to do nothing (signal(7)).
var defaultIgnored = bit(unix.SIGCHLD) | bit(unix.SIGURG) | bit(unix.SIGWINCH) | bit(unix.SIGCONT)

// deliverable reports whether a parked task has a signal that would end its
// call in Linux. A ptraced thread also stops for ignored signals: those do not count.
func (k *Kernel) deliverable(t *Task) bool {
	if t.stopping {
		return true
	}
	// Nearly always there is none, and this is the cheapest way to know it.
	if t.proc.limits.signals == k.roomySignals {
		if queued, err := ptrace.Queued(t.tid); err == nil && !queued {
			return false
		}
	}
	s, ok := t.sigState()
	if !ok || s.pending == 0 {
		return false
	}
	blocked := s.blocked
	if t.wait.hasMask {
		blocked = t.wait.mask
	}
	eff := s.pending &^ blocked &^ s.ignored
	eff &^= defaultIgnored &^ s.caught
	return eff != 0
}

// wakeIfSignalled makes a parked task runnable when a signal must be
// delivered to it. The call is then made for real: the kernel finds the
// signal, gives EINTR or restarts, exactly as it always does.
func (k *Kernel) wakeIfSignalled(t *Task) {
	if t.sigWake || t.stopped || t.wait.what == "" || t.wait.vfork != nil {
		return
	}
	if k.deliverable(t) {
		t.sigWake = true
		k.sched.Wake(t.th)
		return
	}
	if t.wait.sigfd != 0 {
		if s, ok := t.sigState(); ok && s.pending&t.wait.sigfd != 0 {
			k.sched.Wake(t.th)
		}
	}
}

// staleWake reports that the signal for which t was woken is gone (another
// thread of the process took it), and there is nothing else to wake for. The
// call must not be made then: it would sleep in the kernel with the turn.
func (k *Kernel) staleWake(t *Task) bool {
	if !t.sigWake || k.deliverable(t) {
		return false
	}
	t.sigWake = false
	if !t.wait.keepsPlace() || k.late(t) {
		return false // the call looks at everything else again
	}
	k.sched.Park(t.th, t.restart.parkUntil()) // keeps its place in the queue
	return true
}

// again makes the call at whose exit t waits once more, or ends it for a
// signal: that is delivered before a repeated call would begin, so the kernel
// must see an interrupted call now (ERESTARTSYS: SA_RESTART decides).
func (t *Task) again(entry ptrace.Regs) verdict {
	if !t.sigWake {
		t.repeat(entry)
		return pass
	}
	t.sigWake = false
	if t.restart.set { // a limited wait is not started anew (sock_intr_errno)
		t.endWith(entry, -int64(unix.EINTR))
	} else {
		t.endWith(entry, -erestartsys)
	}
	return ended
}

// endWith gives the call of entry, at whose exit t stands, the raw result v.
func (t *Task) endWith(entry ptrace.Regs, v int64) {
	t.regs = withResult(t.regs, &entry, v)
	t.regs.Orig_rax = uint64(t.callNr)
	t.rewrite()
}

// wakeAllSignalled looks at every parked task, in order of creation.
func (k *Kernel) wakeAllSignalled() {
	for _, t := range k.order {
		k.wakeIfSignalled(t)
	}
}

// sendSignal sends sig from the supervisor on behalf of a logical timer.
func (k *Kernel) sendSignal(p *Process, sig unix.Signal) {
	if sig == unix.SIGKILL {
		p.killed = true
	}
	k.sent()
	_ = unix.Kill(p.pid, sig)
	for _, t := range p.tasks {
		k.wakeIfSignalled(t)
	}
}
