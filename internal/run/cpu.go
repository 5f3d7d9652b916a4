package run

import (
	"fmt"

	"dettrace/internal/cpu"
)

// cpuModel is the name of the CPU that the guest is shown.
func (s *Spec) cpuModel() string {
	if s.CPUModel == "" {
		return cpu.Default
	}
	return s.CPUModel
}

// CPU tells the CPU that the guest is shown from any other; host is what the
// model of that name has.
func (s *Spec) CPU(host cpu.Source) string {
	m, err := cpu.Named(s.cpuModel(), host)
	if err != nil {
		return s.cpuModel()
	}
	return fmt.Sprint(m.Name, m.Leaves(1))
}

// hostCPU is the name of the host's CPU.
func hostCPU() string {
	m, err := cpu.Named(cpu.HostName, cpu.Host())
	if err != nil {
		return ""
	}
	return m.Brand
}
