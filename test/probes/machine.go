package probes

import (
	"os/exec"
)

// Machine is what the harness has to know about the host.
type Machine struct {
	CPUs int
	Root bool
}

func always(Machine) bool { return true }

func have(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
