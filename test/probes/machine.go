package probes

import (
	"os/exec"
	"strings"
)

// Machine is what the harness has to know about the host.
type Machine struct {
	CPUs          int
	CPUIDFaulting bool // cpuid can be made to trap
	Root          bool
}

func cannotFaultCPUID(m Machine) bool { return !m.CPUIDFaulting }

func always(Machine) bool { return true }

func have(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// flagsHave reports whether /proc/cpuinfo lists a CPU flag.
func flagsHave(cpuinfo, flag string) bool {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "flags" {
			for _, f := range strings.Fields(value) {
				if f == flag {
					return true
				}
			}
			return false
		}
	}
	return false
}
