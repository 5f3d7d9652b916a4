// Package perturb makes this machine another one for the length of a run, in
// every way that is to be had without a say of the guest: CPU and load, nice
// level, limits, umask, user, clock, environment, current directory, where
// files lie, in which order they were made and whether they are cached. A
// command in a container must not notice.
//
// The changes to the process are made in a process of their own, the hidden
// subcommand Command of the same binary, which then executes dettrace.
package perturb

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is the hidden subcommand: Command JSON [ARG...].
const Command = "__perturb"

// Host is one way for the machine to be. The zero Host changes nothing but
// CPU, which is then the first.
type Host struct {
	Name   string   `json:"name"`
	CPU    int      `json:"cpu"` // index among the CPUs that we may use
	Load   bool     `json:"load"`
	Nice   int      `json:"nice"`
	Umask  int      `json:"umask"`
	OOM    int      `json:"oom_score_adj"`
	Files  uint64   `json:"files"`  // soft limit of open files; 0: as it is
	Stack  uint64   `json:"stack"`  // soft limit in bytes; 0: as it is
	Small  bool     `json:"small"`  // no huge pages
	Clock  int64    `json:"clock"`  // seconds by which the clocks since boot go fast; root only
	User   int      `json:"user"`   // uid and gid; 0: as it is; root only
	Pids   int      `json:"pids"`   // process ids to skip; root only
	Env    []string `json:"-"`      // variables added
	Unset  []string `json:"-"`      // variables removed
	Copy   bool     `json:"copy"`   // inputs are copies, their files made in another order
	Order  uint64   `json:"order"`  // seed of the order in which directories list their names; 0: as they do
	Cold   bool     `json:"cold"`   // and not in the page cache
	Memory bool     `json:"memory"` // copies and temporary files are on tmpfs
	Spin   bool     `json:"spin"`   // do not execute anything: be the load
}

// Hosts are n ways, the first of which changes nothing. They repeat after the
// fourth with other values.
func Hosts(n int) []Host {
	out := []Host{{Name: "as it is", Umask: -1}}
	for i := 1; len(out) < n; i++ {
		h := Host{
			CPU: i, Nice: 5, OOM: 100 + i, Clock: int64(i) * 1_000_003, Pids: 1000 + 37*i,
			Files: 512, Stack: 4 << 20, Small: i%2 == 1, Copy: true, Order: uint64(i),
			Env: []string{
				"TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "TERM=vt52", "COLUMNS=43", "LINES=11",
				"MALLOC_PERTURB_=77", "PYTHONHASHSEED=random", "PERTURBED=" + strings.Repeat("y", 333*i),
			},
			Unset: []string{"LANGUAGE", "SOURCE_DATE_EPOCH"},
		}
		switch i % 3 {
		case 1:
			h.Name, h.Load, h.Umask, h.Memory = "loaded CPU, files on tmpfs", true, 0o077, true
		case 2:
			h.Name, h.Umask, h.User, h.Cold = "another user, cold cache", 0o027, 65533, true
		default:
			h.Name, h.Umask, h.Memory, h.Load = "warm cache", 0o002, true, true
		}
		out = append(out, h)
	}
	return out
}

// Argv is the command line that does h's part for the process and then becomes argv. self is our binary.
func (h Host) Argv(self string, argv []string) ([]string, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return append([]string{self, Command, string(b)}, argv...), nil
}

// Environ is env as h has it. keep are names that stay as they are.
func (h Host) Environ(env, keep []string) []string {
	changed := map[string]bool{}
	for _, n := range h.Unset {
		changed[n] = true
	}
	for _, kv := range h.Env {
		name, _, _ := strings.Cut(kv, "=")
		changed[name] = true
	}
	for _, n := range keep {
		delete(changed, n)
	}
	var out []string
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); !changed[name] {
			out = append(out, kv)
		}
	}
	for _, kv := range h.Env {
		if name, _, _ := strings.Cut(kv, "="); changed[name] {
			out = append(out, kv)
		}
	}
	return out
}

// loadNice is how much nicer the load is than what it disturbs.
const loadNice = 5

// StartLoad starts what h's load is, a process that only computes, and returns
// how to end it.
func (h Host) StartLoad(self string) (stop func(), err error) {
	if !h.Load {
		return func() {}, nil
	}
	argv, err := Host{CPU: h.CPU, Nice: h.Nice + loadNice, Umask: -1, Spin: true}.Argv(self, nil)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Pdeathsig is about the thread that starts the process.
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("load: %w", err)
	}
	return func() {
		_ = cmd.Process.Kill() // it may have been killed by others
		_ = cmd.Wait()
		runtime.UnlockOSThread()
	}, nil
}

// Main is the hidden subcommand, with the environment of the process. It returns only if it fails.
func Main(args, env []string) int {
	runtime.LockOSThread() // nice level, CPUs and time namespace are the thread's
	err := errors.New("usage: " + Command + " JSON [ARG...]")
	if len(args) > 0 {
		var h Host
		if err = json.Unmarshal([]byte(args[0]), &h); err == nil {
			err = h.become(args[1:], env)
		}
	}
	fmt.Fprintf(os.Stderr, "dettrace: error: perturbed host: %v\n", err)
	return 125
}

// become changes this process and executes argv. What this host does not allow
// is left as it is: fewer differences make no run wrong.
func (h Host) become(argv, env []string) error {
	h.pin()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, h.Nice)
	if h.Spin {
		// Where sessions are groups of the scheduler (sched(7), autogroup), a
		// group that computes all the time gets several times the share of each of
		// ours, which hand over to each other all the time: the nice level of its
		// own group keeps it to a tenth.
		_, _ = unix.Setsid()
		_ = os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(h.Nice)), 0)
		for n := uint64(1); n != 0; n += 2 { // for ever: n stays odd
		}
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(h.OOM)), 0)
	lower(unix.RLIMIT_NOFILE, h.Files)
	lower(unix.RLIMIT_STACK, h.Stack)
	if h.Small {
		_ = unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0)
	}
	if os.Geteuid() == 0 {
		h.skipPids()
		h.shiftClock()
	}
	if h.Umask >= 0 {
		unix.Umask(h.Umask)
	}
	if h.User != 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(h.User), syscall.Setuid(h.User)); err != nil {
			return fmt.Errorf("user %d: %w", h.User, err)
		}
		// Another user loses the signal at the death of who started us (prctl(2)).
		_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	}
	if len(argv) == 0 {
		return errors.New("no command")
	}
	return fmt.Errorf("%s: %w", argv[0], unix.Exec(argv[0], argv, env))
}

// pin leaves the process one of the CPUs that it may use.
func (h Host) pin() {
	var may, one unix.CPUSet
	if unix.SchedGetaffinity(0, &may) != nil || may.Count() == 0 {
		return
	}
	n := h.CPU % may.Count()
	for cpu := 0; ; cpu++ {
		if may.IsSet(cpu) {
			if n == 0 {
				one.Set(cpu)
				_ = unix.SchedSetaffinity(0, &one)
				return
			}
			n--
		}
	}
}

// lower sets a soft limit that is higher now.
func lower(resource int, soft uint64) {
	var l unix.Rlimit
	if soft == 0 || unix.Getrlimit(resource, &l) != nil || l.Cur <= soft {
		return
	}
	l.Cur = soft
	_ = unix.Setrlimit(resource, &l)
}

// skipPids lets the kernel's counter go on as if processes had been started.
func (h Host) skipPids() {
	const file = "/proc/sys/kernel/ns_last_pid"
	b, err := os.ReadFile(file)
	if err != nil || h.Pids == 0 {
		return
	}
	if last, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && last+h.Pids < 30000 {
		_ = os.WriteFile(file, []byte(strconv.Itoa(last+h.Pids)), 0)
	}
}

// shiftClock makes a time namespace (time_namespaces(7)), which the thread
// enters when it executes a program (Linux 6.0; before it nothing happens).
func (h Host) shiftClock() {
	if h.Clock == 0 || unix.Unshare(unix.CLONE_NEWTIME) != nil {
		return
	}
	offsets := fmt.Sprintf("monotonic %d 0\nboottime %d 0\n", h.Clock, h.Clock)
	// The thread's directory as one of a process: that as a thread's lacks the file.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/timens_offsets", unix.Gettid()), []byte(offsets), 0)
}
