package run

import (
	"os"
	"slices"
	"strings"
	"sync"
)

// hostCPU is what /proc/cpuinfo says of the host's first CPU.
type hostCPU struct {
	model string
	flags []string
}

// readHostCPU reads it once: the kernel takes its time to write it.
var readHostCPU = sync.OnceValue(func() hostCPU {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return hostCPU{}
	}
	return parseCPU(string(b))
})

func parseCPU(cpuinfo string) (c hostCPU) {
	for line := range strings.Lines(cpuinfo) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			break // a blank line ends the first CPU
		}
		switch strings.TrimSpace(key) {
		case "model name":
			c.model = strings.TrimSpace(value)
		case "flags":
			c.flags = strings.Fields(value)
		}
	}
	return c
}

// visible lists what the guest can see of this CPU, because an unprivileged
// program asks without a trap (docs/guarantees.md). What the CPU lacks it
// cannot show; of one that is not known everything counts as shown.
func (c hostCPU) visible() []string {
	list := []string{"cpuid", "lsl of the CPU's segment"}
	for _, x := range []struct{ flag, what string }{
		{"rdrand", "rdrand"}, {"rdseed", "rdseed"}, {"rdpid", "rdpid"},
		{"xsave", "xgetbv"}, {"xsave", "size of signal frames"},
	} {
		if len(c.flags) == 0 || slices.Contains(c.flags, x.flag) {
			list = append(list, x.what)
		}
	}
	return list
}
