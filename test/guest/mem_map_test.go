package guest

import (
	"testing"

	"golang.org/x/sys/unix"
)

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

// Whether dettrace itself was started without huge pages is not shown.
func TestHugePages(t *testing.T) {
	dir := compile(t, "huge_pages")
	args := []string{"-i", dir + ":/m", "--", "/m/huge_pages"}
	want := "0 0 1 1\n"
	sameLines(t, twice(t, args...), want)
	was, err := unix.PrctlRetInt(unix.PR_GET_THP_DISABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, uintptr(1-was), 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_THP_DISABLE, uintptr(was), 0, 0, 0)
	sameLines(t, twice(t, args...), want)
}

func TestMincore(t *testing.T) { sameAsNative(t, "mincore") }
