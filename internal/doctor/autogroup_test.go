package doctor

import "testing"

func TestInCPUGroup(t *testing.T) {
	has := func(path string) bool { return path == "/sys/fs/cgroup/user.slice/cpu.weight" }
	for _, tt := range []struct {
		cgroup string
		want   bool
	}{
		{"", false},
		{"0::/\n", false},
		{"0::/user.slice/user-1000.slice/session-1.scope\n", true},
		{"0::/system.slice/cron.service\n", false},
		{"4:memory:/x\n1:cpu:/\n0::/\n", false},
		{"4:memory:/x\n1:cpu,cpuacct:/docker/1\n", true},
		{"1:cpuacct:/x\n2:cpuset:/x\n", false},
		{"0::user.slice\nnonsense\n", false},
	} {
		if got := inCPUGroup(tt.cgroup, has); got != tt.want {
			t.Errorf("%q: %v", tt.cgroup, got)
		}
	}
}
