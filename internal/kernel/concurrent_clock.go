package kernel

import (
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/fastpath"
	"dettrace/internal/vdso"
)

// With threads-native the guest reads its clocks without us: the logical time
// is in memory that it shares with us, and both move it on. A reading is an event
// as ever. What nobody can say then is whose CPU time it took. While a timer is
// armed they stop: it runs out by the host's clock, with nobody looking.

// shareClock lets the images that begin from now on do that.
func (k *Kernel) shareClock() {
	k.cfg.Fast.ShareClock(k.Now(), k.cfg.Machine.BootTime, k.tick)
	k.shared, k.sharedAt = true, k.Now()
	for i, nr := range []uint32{unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_TIME} {
		vdso.Redirect(k.vdso, nr, uint32(i), fastpath.Clocks)
	}
}

// takeClock learns how many times the guest has read a clock.
func (k *Kernel) takeClock() {
	if !k.shared {
		return
	}
	const most = 1 << 40 // what the guest writes there by itself is not believed
	d := k.cfg.Fast.SharedTime() - k.sharedAt
	if d < 0 || d > most {
		k.cfg.Fast.MoveTime(-d)
		return
	}
	n := d / k.tick
	if n == 0 {
		return
	}
	k.stats.Events += uint64(n)
	k.stats.Served += uint64(n)
	k.sched.Events(int(n), k.tick)
	k.sharedAt += n * k.tick
	k.setNow()
}

// giveClock tells the guest's threads what the time has become, before the next
// of them goes on.
func (k *Kernel) giveClock() {
	if !k.shared {
		return
	}
	k.expire()
	// What runs out while nobody stops must be seen at the next reading.
	timers := slices.ContainsFunc(k.dues, func(d *due) bool { return d.timer && !d.gone })
	k.cfg.Fast.StopClocks(timers, k.tick)
	if d := k.Now() - k.sharedAt; d > 0 {
		k.cfg.Fast.MoveTime(d)
		k.sharedAt += d
		k.setNow()
	}
}
