package guest

import "testing"

// Mappings fail by the guest's memory, not by the host's.
func TestMappings(t *testing.T) {
	dir := compile(t, "mem_map")
	for _, tt := range []struct{ flag, total, six string }{
		{"--memory=16G", "17179869184", "mapped munmap 0"},
		{"--memory=5G", "5368709120", "ENOMEM"},
	} {
		got := twice(t, tt.flag, "-i", dir+":/m", "--", "/m/mem_map")
		want := []string{
			"total " + tt.total,
			"6 GiB " + tt.six,
			"all mapped munmap 0",
			"more ENOMEM",
			"1 TiB ENOMEM",
			"1 TiB noreserve mapped munmap 0",
			"1 TiB none mapped mprotect 0 munmap 0",
			"shared more ENOMEM",
			"shared all mapped munmap 0",
			"nothing EINVAL",
			"256 TiB ENOMEM",
			"huge ENOMEM",
			"droppable EINVAL",
			"grow to more ENOMEM",
			"r10 kept",
			"heap all 0 more -1 unchanged",
			"memfd huge -1 EINVAL",
		}
		for i, w := range want {
			if i >= len(got) || got[i] != w {
				t.Fatalf("%s: line %d, want %q, got %q", tt.flag, i, w, got)
			}
		}
	}
}
