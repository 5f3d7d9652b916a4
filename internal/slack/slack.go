// Package slack keeps the Go runtime's monitor thread from waking all the time.
//
// While a Go program works, the runtime looks every 20 us whether a thread hangs
// in a system call, and less often only after a while in which none did. On one CPU
// that is two switches each time, beside a timer's interrupt: a tenth of a short run
// of ours. The kernel may delay a sleep by the timer slack of the thread
// (PR_SET_TIMERSLACK(2const)), which nobody but the thread itself may change without
// privileges. So children get theirs before they are started, and threads that
// exist already are sent a signal whose handler changes it.
//
// It delays sleeps and the ends of waits with a timeout, by up to Wide. Nothing in a
// run waits for one but nets for what must never happen.
package slack

import (
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Wide is the slack of processes that only work, in ns.
const Wide = 2_000_000

// number is the signal: one that nobody sends, and that the runtime has a handler
// for and no use.
const number = 63

// Default is what the kernel gives to the first process, in ns. The container
// has it, whatever the caller's is.
const Default = 50_000

var once sync.Once

// Widen gives all threads of this process, and those to come, Wide. Where that is
// refused all is as before, only slower.
func Widen() {
	once.Do(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if install(number) != nil {
			return
		}
		self, pid := unix.Gettid(), unix.Getpid()
		for _, name := range tasks() {
			if tid, err := strconv.Atoi(name); err == nil && tid != self {
				_ = unix.Tgkill(pid, tid, number) // ESRCH: it has ended
			}
		}
		set(Wide)
	})
}

// tasks are the names of our threads. Package os takes 50 us more for the list,
// which is a part of every start.
func tasks() (names []string) {
	fd, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	buf := make([]byte, 2048)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if n <= 0 || err != nil {
			return names
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// With calls f on a thread with a slack of ns: processes that it starts have it.
func With(ns uintptr, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old := now()
	set(ns)
	defer set(old)
	return f()
}

// now is the calling thread's slack.
func now() uintptr {
	n, _, e := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_TIMERSLACK, 0, 0)
	if e != 0 {
		return 0
	}
	return n
}

// set changes it; 0 changes nothing.
func set(ns uintptr) {
	if ns != 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, ns, 0)
	}
}
