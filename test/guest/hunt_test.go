package guest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// dettrace hunt finds a race, shrinks it to few switches, and what it prints
// repeats it: the seed and the file.
func TestHunt(t *testing.T) {
	dir := compile(t, "races")
	for _, tt := range []struct {
		name, threads string
		most          int // decisions that are needed
		status        int
	}{
		{"order_violation", "4", 2, 1},
		{"lost_update", "4", 8, 1},
		{"lost_wakeup", "16", 4, 125},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "race.json")
			cmd := exec.CommandContext(t.Context(), sigLab.Kit.Dettrace, "hunt", "--jobs", "2", "--json", "--save-schedule", file, "--", "./races", tt.name, tt.threads)
			cmd.Dir = dir
			out, err := cmd.Output()
			if cmd.ProcessState.ExitCode() != 1 {
				t.Fatalf("%v\n%s", err, out)
			}
			var got struct {
				Found        bool
				Repeat       []string
				RepeatShrunk []string `json:"repeat_shrunk"`
				Complete     bool     `json:"shrunk_completely"`
				Shrunk       struct {
					Decisions []any
					Switches  []struct{ From, Where, To, Resumes string }
				}
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if n := len(got.Shrunk.Decisions); !got.Found || !got.Complete || n < 1 || n > tt.most {
				t.Errorf("found %v, complete %v, %d decisions", got.Found, got.Complete, n)
			}
			for _, s := range got.Shrunk.Switches {
				if s.From == "" || s.Where == "" || s.To == "" || s.Resumes == "" {
					t.Errorf("%+v", s)
				}
			}
			for _, line := range [][]string{got.Repeat, got.RepeatShrunk} {
				if slices.Index(line, "dettrace") != 0 {
					t.Fatalf("%q", line)
				}
				for range 2 {
					again := exec.CommandContext(t.Context(), sigLab.Kit.Dettrace, line[1:]...)
					again.Dir = dir
					out, err := again.CombinedOutput()
					if s := again.ProcessState.ExitCode(); s != tt.status {
						t.Errorf("%q: status %d, %v\n%s", line, s, err, out)
					}
				}
			}
		})
	}
}

// A command that is right in every order, and one that is wrong in all.
func TestHuntFindsNothing(t *testing.T) {
	dir := compile(t, "races")
	for _, tt := range []struct {
		args   []string
		status int
	}{
		{[]string{"--schedules", "6", "--", "./races", "condvar", "3"}, 0},
		{[]string{"--", "sh", "-c", "exit 3"}, 1},
		{[]string{"--differ", "--schedules", "3", "--", "sh", "-c", "exit 3"}, 0},
		{[]string{"--", "no-such-command"}, 125},
	} {
		junit := filepath.Join(t.TempDir(), "junit.xml")
		cmd := exec.CommandContext(t.Context(), sigLab.Kit.Dettrace, append([]string{"hunt", "--junit", junit}, tt.args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if s := cmd.ProcessState.ExitCode(); s != tt.status {
			t.Errorf("%q: status %d, %v\n%s", tt.args, s, err, out)
		}
		if _, err := os.Stat(junit); (err == nil) != (tt.status != 125) {
			t.Errorf("%q: JUnit report: %v", tt.args, err)
		}
	}
}
