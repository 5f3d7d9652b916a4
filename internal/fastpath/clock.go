package fastpath

// Where threads run at once (--allow threads-native) the code of the region cannot
// be used: it keeps its state in one page. Clocks are the exception, because
// programs read them a million times: functions of the vDSO lead to code of
// their own (clock_amd64.s), for which a reading is one atomic addition to the time. No
// instruction of a program is replaced for that.

// Clocks is where in every process that has the region the code for clocks is: a
// function of the C calling convention that takes the number of the clock's
// function (vdso.Redirect) in ecx. Its system calls stop.
const Clocks = Base + clocksOffset

const (
	clocksOffset = vforkOffset + 2*stubSize*maxVforks

	offTime  = 0x260 // the time, ns since 1970, which both sides move on
	offBoot  = 0x268 // the boot's
	offShare = 0x270 // what a reading adds; 0: clocks stop
)

// ShareClock sets the time for threads that run at once, the time of the boot
// (both in ns since 1970), and what each reading of a clock adds.
func (r *Region) ShareClock(now, boot, tick int64) {
	r.guard(func() {
		r.state.word(offTime).Store(uint64(now))
		r.state.word(offBoot).Store(uint64(boot))
		r.state.word(offShare).Store(uint64(tick))
	})
}

// StopClocks makes each reading of a clock stop, or no more.
func (r *Region) StopClocks(stop bool, tick int64) {
	r.guard(func() {
		w := r.state.word(offShare)
		if stop {
			tick = 0
		}
		if w.Load() != uint64(tick) {
			w.Store(uint64(tick))
		}
	})
}

// SharedTime is the time that ShareClock set and both sides have moved on. The
// guest can write anything there.
func (r *Region) SharedTime() (now int64) {
	r.guard(func() { now = int64(r.state.word(offTime).Load()) })
	return now
}

// MoveTime moves it by ns.
func (r *Region) MoveTime(ns int64) { r.guard(func() { r.state.word(offTime).Add(uint64(ns)) }) }
