package tsc

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// counter is what PR_GET_TSC says of the calling thread.
func counter(t *testing.T) int32 {
	t.Helper()
	var v int32
	if _, _, e := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_TSC, addr(&v), 0); e != 0 {
		t.Fatal(e)
	}
	return v
}

// TestOff: without the counter clocks go on as the kernel's, the runtime can
// measure, and faults are what they were.
func TestOff(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	back := Off()
	if counter(t) != unix.PR_TSC_SIGSEGV {
		t.Fatal("the thread has the counter still")
	}
	other := make(chan int32)
	go func() {
		runtime.LockOSThread() // a thread of its own
		other <- counter(t)
	}()
	if <-other != unix.PR_TSC_ENABLE {
		t.Error("another thread lost it")
	}

	var before, after unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &before) // with this clock id it does not fail
	now := time.Now().UnixNano()
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &after)
	if now < before.Nano() || now > after.Nano() {
		t.Errorf("now is %d, not between %d and %d", now, before.Nano(), after.Nano())
	}

	// The runtime reads the counter around waits while it makes a profile of them.
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	seen := count.Load()
	for range 100 {
		c := make(chan int)
		go func() { time.Sleep(time.Microsecond); c <- 1 }()
		<-c
	}
	if count.Load() == seen {
		t.Error("the counter was not read: the test tests nothing")
	}

	func() {
		defer func() {
			if err, ok := recover().(runtime.Error); !ok {
				t.Error("a fault that is none of ours: ", err)
			}
		}()
		var none *int
		*none = 1
	}()

	back()
	if counter(t) != unix.PR_TSC_ENABLE {
		t.Error("not given back")
	}
}

// Each switch between a thread with the counter and one without writes CR4. Two
// that hand a byte to and fro on one CPU, with and without it in both.
func BenchmarkSwitch(b *testing.B) {
	for _, bb := range []struct {
		name string
		off  [2]bool
	}{{"both have it", [2]bool{}}, {"one has it", [2]bool{true}}, {"none has it", [2]bool{true, true}}} {
		b.Run(bb.name, func(b *testing.B) {
			var there, back [2]int
			if unix.Pipe(there[:]) != nil || unix.Pipe(back[:]) != nil {
				b.Fatal("pipe")
			}
			var cpu unix.CPUSet
			cpu.Set(0)
			side := func(off bool, first, second func()) {
				runtime.LockOSThread() // and never unlocked: the thread ends
				_ = unix.SchedSetaffinity(0, &cpu)
				if off {
					defer Off()()
				}
				for range b.N {
					first()
					second()
				}
			}
			end := make(chan bool)
			var one, other [1]byte
			rw := func(call uintptr, fd int, p *[1]byte) func() {
				return func() { _, _, _ = unix.RawSyscall(call, uintptr(fd), addr(p), 1) }
			}
			go func() {
				side(bb.off[0], rw(unix.SYS_READ, there[0], &other), rw(unix.SYS_WRITE, back[1], &other))
				end <- true
			}()
			go func() {
				side(bb.off[1], rw(unix.SYS_WRITE, there[1], &one), rw(unix.SYS_READ, back[0], &one))
				end <- true
			}()
			<-end
			<-end
			for _, fd := range append(there[:], back[:]...) {
				_ = unix.Close(fd)
			}
		})
	}
}
