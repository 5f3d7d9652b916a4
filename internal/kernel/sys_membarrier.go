package kernel

import "golang.org/x/sys/unix"

// Commands of include/uapi/linux/membarrier.h. The one that registers for an
// expedited barrier is the bit above it.
const (
	barrierQuery            = 0
	barrierGlobal           = 1
	barrierGlobalExpedited  = 1 << 1
	barrierRegisterGlobal   = 1 << 2
	barrierPrivate          = 1 << 3
	barrierRegisterPrivate  = 1 << 4
	barrierCore             = 1 << 5
	barrierRegisterCore     = 1 << 6
	barrierGetRegistrations = 1 << 9
)

// sysMembarrier answers membarrier(2). One thread runs at a time and every
// switch is a barrier, so there is nothing to do but to check: an address space
// must have registered for the expedited barriers that it asks for
// (kernel/sched/membarrier.c). Those of restartable sequences are refused as
// by a kernel without them, for there is no rseq(2).
func sysMembarrier(k *Kernel, t *Task) verdict {
	const all = barrierGetRegistrations | barrierRegisterCore<<1 - 1
	mm := t.proc.mm
	if cmd := t.arg(0); k.cfg.Open.Threads && uint32(cmd) != barrierQuery && uint32(cmd)&^all == 0 {
		return pass // they are needed
	}
	if uint32(t.arg(1)) != 0 {
		return t.fail(unix.EINVAL)
	}
	switch cmd := t.intArg(0); cmd {
	case barrierQuery:
		return t.done(all)
	case barrierGlobal, barrierGlobalExpedited:
		return t.done(0)
	case barrierRegisterGlobal, barrierRegisterPrivate, barrierRegisterCore:
		mm.barriers |= cmd
		return t.done(0)
	case barrierPrivate, barrierCore:
		if register := cmd << 1; mm.barriers&register == 0 {
			return t.fail(unix.EPERM)
		}
		return t.done(0)
	case barrierGetRegistrations:
		said := mm.barriers
		if said&barrierRegisterCore != 0 {
			// The kernel notes this one as a private barrier, too.
			said |= barrierRegisterPrivate
		}
		return t.done(int64(said))
	}
	return t.fail(unix.EINVAL)
}
