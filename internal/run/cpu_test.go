package run

import (
	"slices"
	"testing"
)

func TestHostCPU(t *testing.T) {
	const text = "processor\t: 0\nmodel name\t: Some CPU: 3\nflags\t\t: fpu xsave rdrand\nbugs\t\t:\npower management:\n\nprocessor\t: 1\nmodel name\t: Another\nflags\t\t: rdpid\n"
	for _, tt := range []struct {
		name, text, model string
		visible           []string
	}{
		{"first CPU", text, "Some CPU: 3", []string{"cpuid", "lsl of the CPU's segment", "rdrand", "xgetbv", "size of signal frames"}},
		{"old CPU", "flags\t: fpu\n", "", []string{"cpuid", "lsl of the CPU's segment"}},
		{"unknown", "", "", []string{"cpuid", "lsl of the CPU's segment", "rdrand", "rdseed", "rdpid", "xgetbv", "size of signal frames"}},
	} {
		c := parseCPU(tt.text)
		if c.model != tt.model || !slices.Equal(c.visible(), tt.visible) {
			t.Errorf("%s: %q, %q", tt.name, c.model, c.visible())
		}
	}
}
