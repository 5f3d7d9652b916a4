package stress

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"dettrace/test/lab"
)

// runsVar is how often each program runs; without it a hundred times.
const runsVar = "DETTRACE_STRESS_RUNS"

// limit is fatal: a program takes a fraction of a second alone.
const limit = 5 * time.Minute

// A racer is a program whose native result is a race, in a container of its own.
type racer struct {
	name string
	argv []string // flags of dettrace run, "--" and the command
}

// racers gives each program twice: in the order of arrival, and in one that
// a schedule seed chose, which changes turns in the middle of user code, too.
func racers(dir string) []racer {
	var list []racer
	for _, flags := range [][]string{nil, {"--schedule-seed", "7"}} {
		for _, name := range []string{"children", "threads", "make", "pipes"} {
			command := []string{"sh", "/s/" + name + ".sh"}
			if name == "threads" {
				command = []string{"/s/threads"}
			}
			argv := append(append([]string{"-i", dir + ":/s", "-w", "/tmp"}, flags...), "--")
			list = append(list, racer{name: fmt.Sprint(name, flags), argv: append(argv, command...)})
		}
	}
	return list
}

// everything is one container with all of them, one after the other.
func everything(dir string) racer {
	return racer{name: "everything", argv: []string{"-i", dir + ":/s", "-w", "/tmp", "--",
		"sh", "-c", "for p in children make pipes; do mkdir $p; (cd $p; sh /s/$p.sh) & done; /s/threads & wait"}}
}

// Eight containers race for the host's CPUs all the time.
func TestRacingContainers(t *testing.T) {
	l := setUp(t)
	list := racers(l.dir)
	var wg sync.WaitGroup
	for _, r := range list {
		wg.Go(func() { l.repeat(t, r) })
	}
	wg.Wait()
}

// One container has a small share of the CPUs.
func TestOverloadedHost(t *testing.T) {
	l := setUp(t)
	end, err := lab.Load(runtime.NumCPU()+1, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	l.repeat(t, everything(l.dir))
}

// No order of threads makes a correct program fail.
func TestCorrectPrograms(t *testing.T) {
	s := setUp(t)
	for _, name := range []string{"mutex", "rwlock", "condvar", "barrier", "semaphore"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scratch := t.TempDir()
			for seed := 1; seed <= s.runs; seed++ {
				argv := []string{s.dettrace, "run", "--image", "host", "--no-default-input", "--schedule-seed", strconv.Itoa(seed),
					"-i", s.dir + ":/s", "-w", "/tmp", "--", "/s/races", name, strconv.Itoa(2 + seed%15)}
				o, _, err := lab.Observe(argv, 0, []string{"PATH=/usr/bin:/bin"}, scratch, limit)
				if err != nil || o.Status != 0 {
					t.Errorf("seed %d: status %d, %v\n%s\n%q", seed, o.Status, err, o.Stderr, argv)
				}
			}
		})
	}
}

type stress struct {
	dettrace, dir string
	runs          int
}

// setUp builds dettrace and the programs; DETTRACE names a binary to test instead.
func setUp(t *testing.T) stress {
	t.Helper()
	if testing.Short() {
		t.Skip("minutes")
	}
	s := stress{dettrace: os.Getenv("DETTRACE"), dir: t.TempDir(), runs: 100}
	if v := os.Getenv(runsVar); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 2 {
			t.Fatalf("%s=%q: want a number of at least 2", runsVar, v)
		}
		s.runs = n
	}
	if err := os.CopyFS(s.dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	var builds [][]string
	for name, source := range map[string]string{"threads": "testdata/threads.c", "races": "../guest/c/races.c"} {
		builds = append(builds, []string{"gcc", "-O1", "-w", "-static", "-pthread", "-o", filepath.Join(s.dir, name), source})
	}
	if s.dettrace == "" {
		s.dettrace = filepath.Join(t.TempDir(), "dettrace")
		builds = append(builds, []string{"go", "build", "-o", s.dettrace, "dettrace/cmd/dettrace"})
	}
	for _, argv := range builds {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	return s
}

// repeat runs r until it has run often enough or differed.
func (s stress) repeat(t *testing.T, r racer) {
	scratch := t.TempDir()
	first, hashes := lab.Outcome{}, map[string]bool{}
	for i := range s.runs {
		log := filepath.Join(scratch, fmt.Sprint("log", min(i, 1)))
		argv := append([]string{s.dettrace, "run", "--image", "host", "--no-default-input", "--log", log}, r.argv...)
		o, _, err := lab.Observe(argv, 0, []string{"PATH=/usr/bin:/bin", fmt.Sprint("RUN=", i)}, scratch, limit)
		if err != nil {
			t.Error(r.name, err)
			return
		}
		if i == 0 {
			if o.Status != 0 {
				t.Errorf("%s: status %d\n%s\n%s", r.name, o.Status, o.Stdout, o.Stderr)
				return
			}
			first = o
		}
		hashes[o.Hash()] = true
		event, err := lab.FirstEvent(filepath.Join(scratch, "log0"), log)
		if err != nil {
			t.Error(r.name, err)
			return
		}
		if d := first.Differences(o); len(d) > 0 || event != "" {
			t.Errorf("%s: run %d differs from the first: %q\nfirst event that differs:\n%s\n%q", r.name, i+1, d, event, argv)
			return
		}
	}
	t.Logf("%-32s %d runs, %d hash", r.name, s.runs, len(hashes))
}
