// Package machine declares the one machine that every guest sees.
//
// Nothing here is read from the host: the values are settings, so they are
// part of the inputs of a run. The packages procfs (text files under /proc
// and /sys) and kernel (uname, sysinfo, sched_getaffinity, ...) render the
// same Machine, so that all views agree.
package machine

import "dettrace/internal/cpu"

// Machine is what the guest is told about the computer it runs on.
type Machine struct {
	CPUs       int       // number of CPUs, at least 1
	CPU        cpu.Model // what each of them is
	MemTotal   uint64    // bytes of RAM
	Hostname   string    // uname nodename
	Domainname string    // uname domainname
	Release    string    // uname release
	Version    string    // uname version
	PageSize   uint64    // bytes
	PidMax     int       // /proc/sys/kernel/pid_max
	BootTime   int64     // Unix time of boot in ns; uptime is now-BootTime
	BootID     string    // /proc/sys/kernel/random/boot_id
	MachineID  string    // /etc/machine-id, 32 hex digits
}

// MemFree is how many bytes of RAM sysinfo(2) says are free.
func (m *Machine) MemFree() uint64 { return m.MemTotal / 4 * 3 }

// Default gives the baseline machine: one CPU, 8 GiB, booted 100 s before
// the epoch (ns since 1970), so that CLOCK_MONOTONIC is never near zero.
func Default(epoch int64) Machine {
	model, _ := cpu.Named(cpu.Default, nil) // a constant: it exists
	return Machine{
		CPUs:       1,
		CPU:        model,
		MemTotal:   8 << 30,
		Hostname:   "dettrace",
		Domainname: "(none)",
		Release:    "6.12.0-dettrace",
		Version:    "#1 SMP PREEMPT_DYNAMIC dettrace",
		PageSize:   4096,
		PidMax:     32768,
		BootTime:   epoch - 100e9,
		BootID:     "00000000-0000-4000-8000-000000000001",
		MachineID:  "00000000000040008000000000000001",
	}
}

// MaxThreads is how many threads the kernel lets such a machine have: as many
// as have stacks of 16 KiB in an eighth of the RAM (fork_init() in kernel/fork.c).
func (m Machine) MaxThreads() uint64 { return m.MemTotal >> 17 }
