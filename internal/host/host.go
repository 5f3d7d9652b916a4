// Package host reads what open doors let in (package door): the host's clocks,
// its entropy, its size. It is the only place of the core that does. A caller
// that has not looked whether the door is open is wrong.
package host

import (
	"bufio"
	"bytes"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Clock reads a clock of clock_gettime(2) in ns. ok is false for one that the
// host does not have.
func Clock(id int32) (ns int64, ok bool) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, false
	}
	return ts.Nano(), true
}

// Now is CLOCK_REALTIME in ns since 1970.
func Now() int64 {
	ns, _ := Clock(unix.CLOCK_REALTIME)
	return ns
}

// BootTime is when the host booted, in ns since 1970 on CLOCK_REALTIME.
func BootTime() int64 {
	up, _ := Clock(unix.CLOCK_BOOTTIME)
	return Now() - up
}

// CPUClock is the id of the clock that counts the CPU time of a process, for
// Clock (CPUCLOCK_SCHED in linux/posix-timers.h).
func CPUClock(pid int) int32 { return ^int32(pid)<<3 | 2 }

// Sleep waits for ns, less if a signal comes.
func Sleep(ns int64) {
	ts := unix.NsecToTimespec(ns)
	_ = unix.Nanosleep(&ts, nil)
}

// Random fills p with the kernel's random bytes.
func Random(p []byte) error {
	for len(p) > 0 {
		n, err := unix.Getrandom(p, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("getrandom: %w", err)
		}
		p = p[n:]
	}
	return nil
}

// CPUs is how many CPUs the calling thread may run on, at least 1.
func CPUs() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 1
	}
	n := 0
	for _, w := range set {
		n += bits.OnesCount64(uint64(w))
	}
	return max(n, 1)
}

// Memory is the size of the RAM in bytes (proc_meminfo(5)), 0 if it cannot be read.
func Memory() uint64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		if v, ok := strings.CutPrefix(sc.Text(), "MemTotal:"); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 54)
			return n << 10
		}
	}
	return 0
}
