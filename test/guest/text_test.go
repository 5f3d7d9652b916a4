package guest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// textDir has a program, and two libraries of the same shape of which it uses
// the first. They answer 1 and 2.
func textDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	gcc := func(args ...string) {
		if out, err := exec.Command("gcc", append([]string{"-O1", "-w"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
	}
	for i := 1; i <= 2; i++ {
		gcc("-shared", "-fPIC", fmt.Sprintf("-DANSWER=%d", i), "-Wl,-soname,libanswer1.so",
			"-o", filepath.Join(dir, fmt.Sprintf("libanswer%d.so", i)), filepath.Join("c", "text_lib.c"))
	}
	gcc("-o", filepath.Join(dir, "main"), filepath.Join("c", "text_main.c"), "-L"+dir, "-lanswer1", "-Wl,-rpath,/t")
	gcc("-o", filepath.Join(dir, "other"), filepath.Join("c", "text_main.c"), "-Wl,--no-as-needed", "-lm", "-L"+dir, "-lanswer1", "-Wl,-rpath,/t")
	return dir
}

// Libraries that many processes use are not patched in each of them: their text
// is replaced by a copy when they are mapped.
func TestTextCopies(t *testing.T) {
	dir := textDir(t)
	file := filepath.Join(t.TempDir(), "report.json")
	const runs = 40
	if n := accessStops(t, file, runs, "-i", dir+":/t", "--", "sh", "-c", fmt.Sprintf("for i in $(seq %d); do /t/main; done", runs)); n > runs/2 {
		t.Errorf("%d stops of access in %d processes", n, runs)
	}
}

// What was found in a library is known in a program that has it at another address.
func TestTextElsewhere(t *testing.T) {
	dir := textDir(t)
	file := filepath.Join(t.TempDir(), "report.json")
	count := func(programs ...string) int {
		return accessStops(t, file, len(programs), "-i", dir+":/t", "--", "sh", "-c", strings.Join(programs, "; "))
	}
	known := slices.Repeat([]string{"/t/main"}, 10)
	before, after := count(known...), count(append(known, "/t/other")...)
	if before == 0 || after > before+2 {
		t.Errorf("%d stops of access, then %d more in another program that makes 6 such calls", before, after-before)
	}
}

// accessStops is how many stops of access(2) a command makes that runs so many
// programs of textDir.
func accessStops(t *testing.T, file string, runs int, args ...string) int {
	t.Helper()
	r := sigLab.OK(t, append([]string{"--report", file}, args...)...)
	if r.Stdout != strings.Repeat("1\n", runs) {
		t.Fatalf("%q", r.Stdout)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Stops struct {
			ByCall []struct {
				Call  string
				Count int
			} `json:"by_call"`
		}
	}
	if err := json.Unmarshal(b, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Stops.ByCall) == 0 {
		t.Fatal("the report counts no stops")
	}
	for _, s := range report.Stops.ByCall {
		if s.Call == "access" {
			return s.Count
		}
	}
	return 0
}

// A copy is no longer used when its file has changed, in whatever way.
func TestTextChanges(t *testing.T) {
	dir := textDir(t)
	for name, change := range map[string]string{
		"written over": "cp /t/libanswer2.so /t/libanswer1.so",
		"in place":     "dd if=/t/libanswer2.so of=/t/libanswer1.so conv=notrunc 2>/dev/null",
		"mapped":       "/t/main /t/libanswer2.so /t/libanswer1.so",
		"replaced":     "cp /t/libanswer2.so /t/new.so && mv /t/new.so /t/libanswer1.so",
	} {
		t.Run(name, func(t *testing.T) {
			const run = "for i in 1 2 3 4 5 6 7 8; do /t/main; done; "
			script := run + change + "; " + run
			args := []string{"-i", dir + ":/t", "--", "sh", "-c", script}
			if sameWithout(t, args...) == 0 {
				t.Error("nothing was served")
			}
			if r := sigLab.OK(t, args...); r.Stdout != strings.Repeat("1\n", 8)+strings.Repeat("2\n", 8) {
				t.Errorf("%q", r.Stdout)
			}
		})
	}
}

// What a program sees of its own mappings does not tell copies from originals.
func TestTextMaps(t *testing.T) {
	const script = "for i in 1 2 3 4 5 6 7 8; do cat /proc/self/maps /proc/self/smaps /proc/self/numa_maps; done"
	if sameWithout(t, "--", "sh", "-c", script) == 0 {
		t.Error("nothing was served")
	}
	r := sigLab.OK(t, "--", "sh", "-c", script)
	one, _, _ := strings.Cut(r.Stdout, "Size:")
	if !strings.Contains(one, "libc") || strings.Count(r.Stdout, one) != 8 {
		t.Error("the first process sees other mappings than the last")
	}
}

// A process that unmaps the fast paths gets the text of its copy back.
func TestTextUnmapped(t *testing.T) {
	dir := compile(t, "fastpath_gone")
	for _, c := range []int{0, 1, 3, 5, 7} {
		once := fmt.Sprintf("/t/fastpath_gone %d | sha256sum; ", c)
		r := sigLab.OK(t, "-i", dir+":/t", "--", "sh", "-c", strings.Repeat(once, 8)+"ls /etc/passwd")
		lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
		if len(lines) != 9 || lines[8] != "/etc/passwd" {
			t.Fatalf("case %d: %q", c, r.Stdout)
		}
		for i, l := range lines[:8] {
			if l != lines[0] {
				t.Errorf("case %d, process %d: %s, not %s", c, i, l, lines[0])
			}
		}
	}
}
