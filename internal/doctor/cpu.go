package doctor

import "golang.org/x/sys/unix"

// rdtsc asks whether the counter can be made to trap (PR_SET_TSC(2const)).
func rdtsc() Check {
	c := Check{Name: "rdtsc", Status: OK, Found: "can trap", Gives: "the time stamp counter is the logical clock"}
	if err := tscMode(); err != nil {
		return c.missing(reason(err), "dettrace cannot run: programs would see the host's counter", "an x86-64 kernel with PR_SET_TSC")
	}
	return c
}

// cpuid switches cpuid on for this process, which it is, and learns whether the
// CPU could switch it off (arch_prctl(2), ARCH_SET_CPUID).
func cpuid() Check {
	c := Check{Name: "cpuid", Status: OK, Found: "can trap", Gives: "every use of cpuid shows the declared CPU"}
	const archSetCpuid = 0x1012
	if _, _, e := unix.Syscall(unix.SYS_ARCH_PRCTL, archSetCpuid, 1, 0); e != 0 {
		return c.limited("cannot trap ("+reason(e)+")",
			"a use of cpuid that dettrace did not find in the program's code shows the host's CPU; the report names what was visible",
			"a CPU with cpuid faulting (Intel since Ivy Bridge, some newer AMD) that the hypervisor does not hide")
	}
	return c
}

// pmu opens a counter of branches.
func pmu() Check {
	c := Check{Name: "performance counters", Status: OK, Found: "present, and not needed", Gives: "nothing yet: dettrace does not use them"}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_HARDWARE, Size: unix.PERF_ATTR_SIZE_VER0,
		Config: unix.PERF_COUNT_HW_BRANCH_INSTRUCTIONS, Bits: unix.PerfBitDisabled | unix.PerfBitExcludeKernel}
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		c.Found = "none (" + reason(err) + "), and not needed"
		return c
	}
	unix.Close(fd)
	return c
}
