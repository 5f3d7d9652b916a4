package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"dettrace/test/lab"
)

// Each race shows within so many schedule seeds, at every number of threads.
func TestScheduleSeedsFindRaces(t *testing.T) {
	dir := compile(t, "races")
	for _, tt := range []struct {
		name    string
		seeds   int
		threads []int
	}{
		{"order_violation", 16, []int{2, 3, 4, 8, 16}},
		{"lost_update", 10, []int{2, 3, 4, 8, 16}},
		{"publish_ordering", 10, []int{2, 3, 4, 8, 16}},
		{"lost_wakeup", 100, []int{16}},
	} {
		for _, n := range tt.threads {
			t.Run(fmt.Sprintf("%s/%d", tt.name, n), func(t *testing.T) {
				for seed := 1; seed <= tt.seeds; seed++ {
					if races(t, dir, seed, tt.name, n).Status != 0 {
						t.Logf("seed %d", seed)
						return
					}
				}
				t.Errorf("not found by %d seeds", tt.seeds)
			})
		}
	}
}

// No order of threads makes a correct program fail; test/stress has more seeds.
func TestScheduleSeedsSpareCorrectPrograms(t *testing.T) {
	dir := compile(t, "races")
	for _, name := range []string{"mutex", "rwlock", "condvar", "barrier", "semaphore"} {
		t.Run(name, func(t *testing.T) {
			for seed := 1; seed <= 8; seed++ {
				if r := races(t, dir, seed, name, 2<<(seed%4)); r.Status != 0 {
					t.Errorf("seed %d: status %d\n%s", seed, r.Status, r.Stderr)
				}
			}
		})
	}
}

// A seed is a schedule: the same events and decisions each time, replayed from
// the file too; other seeds are others.
func TestScheduleSeedRepeats(t *testing.T) {
	dir := compile(t, "races")
	for _, name := range []string{"lost_update", "mutex", "lost_wakeup"} {
		t.Run(name, func(t *testing.T) {
			logs := map[string]int{}
			for seed := 1; seed <= 4; seed++ {
				first, file := logged(t, dir, name, "--schedule-seed", strconv.Itoa(seed))
				again, _ := logged(t, dir, name, "--schedule-seed", strconv.Itoa(seed))
				if first != again {
					t.Errorf("seed %d: two logs", seed)
				}
				replayed, _ := logged(t, dir, name, "--schedule", file)
				if first != replayed {
					t.Errorf("seed %d: another log when replayed", seed)
				}
				logs[first]++
			}
			if len(logs) < 3 {
				t.Errorf("four seeds, %d schedules", len(logs))
			}
		})
	}
}

// A race has one result for each seed, and not the same for all.
func TestScheduleSeedsAreResults(t *testing.T) {
	dir := compile(t, "races")
	results := map[string]bool{}
	for seed := 1; seed <= 8; seed++ {
		first, again := races(t, dir, seed, "lost_update", 4), races(t, dir, seed, "lost_update", 4)
		if first.Stdout != again.Stdout || first.Status != again.Status {
			t.Errorf("seed %d: %q and %q", seed, first.Stdout, again.Stdout)
		}
		results[first.Stdout] = true
	}
	if len(results) < 3 {
		t.Errorf("eight seeds, %d results", len(results))
	}
}

func races(t *testing.T, dir string, seed int, name string, threads int) lab.Result {
	t.Helper()
	r := sigLab.Run(t, "--schedule-seed", strconv.Itoa(seed), "-i", dir+":/t", "--", "/t/races", name, strconv.Itoa(threads))
	if s := r.Status; s != 0 && s != 1 && s != 125 {
		t.Fatalf("seed %d: status %d\n%s", seed, s, r.Stderr)
	}
	return r
}

// logged gives the event log of a run and the file of its schedule.
func logged(t *testing.T, dir, name, flag, value string) (log, schedule string) {
	t.Helper()
	tmp := t.TempDir()
	schedule = filepath.Join(tmp, "schedule.json")
	sigLab.Run(t, flag, value, "--save-schedule", schedule, "--log", filepath.Join(tmp, "log"), "-i", dir+":/t", "--", "/t/races", name, "4")
	b, err := os.ReadFile(filepath.Join(tmp, "log"))
	if err != nil || len(b) == 0 {
		t.Fatal("no log: ", err)
	}
	return string(b), schedule
}
