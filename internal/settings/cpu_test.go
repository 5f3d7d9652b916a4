package settings

import (
	"testing"

	"dettrace/internal/cpu"
)

// oldCPU is the host's CPU without what CPUs of 2009 brought.
type oldCPU struct{ cpu.Source }

func (o oldCPU) CPUID(leaf, sub uint32) cpu.Regs {
	r := o.Source.CPUID(leaf, sub)
	if leaf == 1 {
		r[2] = 0 // ecx: SSE3 and later
	}
	return r
}

// TestOldCPU: on a host that can be no other model than the one that is shown,
// cpu_model varies nothing; what it cannot be is refused under its name.
func TestOldCPU(t *testing.T) {
	host := Host{Dir: t.TempDir(), CPU: oldCPU{cpu.Host()}}
	f := Flags{Image: "host", InputMtime: "epoch", CPUs: 1, Hostname: "a", Seed: "0", ScheduleSeed: "0", Workdir: SourceDir, CPUModel: "x86-64-v1", Vary: "cpu_model", VarySeed: "1"}
	s, err := Resolve(f, []string{"true"}, host)
	if err != nil || s.CPUModel != "x86-64-v1" {
		t.Errorf("%q, %v", s.CPUModel, err)
	}
	f.CPUModel, f.Vary = "x86-64-v2", ""
	if _, err := Resolve(f, []string{"true"}, host); err == nil {
		t.Error("a CPU that the host is not")
	}
}
