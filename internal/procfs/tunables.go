package procfs

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Tunables are the settings of a process that are set by writing to its
// files. They have no effect in the container (there is no OOM killer, no core
// file and no timer slack that it could see), and the kernel's own start values
// and permissions differ between hosts and users; so they are only remembered.
// The zero value is that of a process on a fresh system, except for the slack.
type Tunables struct {
	OOMScoreAdj int    // proc_pid_oom_score_adj(5)
	oomMin      int    // lowest value that an unprivileged process may go back to
	dumpFilter  uint32 // coredump_filter, as difference from the default
	loginUID    uint32 // loginuid + 1: 0 is unset
	Nice        int    // of the autogroup
	TimerSlack  uint64 // ns, of a thread
}

// Defaults of core(5) and prctl(2).
const (
	defaultDumpFilter = 0x33
	dumpFilterBits    = 0x1ff
	DefaultTimerSlack = 50_000
)

// Set carries out a write of text to the file called name of a process.
// privileged says that the writer has all capabilities of its namespace. ok
// is false for a file that is not one of these.
func (t *Tunables) Set(name string, text []byte, privileged bool) (e unix.Errno, ok bool) {
	s := strings.TrimSpace(strings.TrimRight(string(text), "\x00"))
	switch name {
	case "oom_score_adj", "oom_adj":
		v, err := strconv.ParseInt(s, 0, 32)
		if err != nil {
			return unix.EINVAL, true
		}
		if name == "oom_adj" {
			return t.setOOMAdj(int(v), privileged), true
		}
		return t.setOOMScoreAdj(int(v), privileged), true
	case "coredump_filter":
		v, err := strconv.ParseUint(s, 0, 32)
		if err != nil {
			return unix.EINVAL, true
		}
		t.dumpFilter = uint32(v)&dumpFilterBits ^ defaultDumpFilter
	case "loginuid":
		v, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return unix.EINVAL, true
		}
		if t.loginUID != 0 && !privileged { // audit_set_loginuid_perm()
			return unix.EPERM, true
		}
		t.loginUID = uint32(v) + 1
	case "autogroup":
		v, err := strconv.ParseInt(s, 0, 32)
		if err != nil || v < -20 || v > 19 {
			return unix.EINVAL, true
		}
		if v < 0 && !privileged {
			return unix.EPERM, true
		}
		t.Nice = int(v)
	case "timerslack_ns":
		v, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			return unix.EINVAL, true
		}
		t.SetTimerSlack(v)
	default:
		return 0, false
	}
	return 0, true
}

// SetTimerSlack is prctl(2) PR_SET_TIMERSLACK; 0 restores the default.
func (t *Tunables) SetTimerSlack(ns uint64) {
	if ns == 0 {
		ns = DefaultTimerSlack
	}
	t.TimerSlack = ns
}

// setOOMScoreAdj is __set_oom_adj() of fs/proc/base.c: only a privileged
// process may go below the lowest value that a privileged one has set.
func (t *Tunables) setOOMScoreAdj(v int, privileged bool) unix.Errno {
	if v < -1000 || v > 1000 {
		return unix.EINVAL
	}
	if !privileged && v < t.oomMin {
		return unix.EACCES
	}
	t.OOMScoreAdj = v
	if privileged {
		t.oomMin = v
	}
	return 0
}

// setOOMAdj is the older scale of -17 to 15 (oom_adj_write()).
func (t *Tunables) setOOMAdj(v int, privileged bool) unix.Errno {
	if v < -17 || v > 15 {
		return unix.EINVAL
	}
	if v == 15 {
		v = 1000
	} else {
		v = v * 1000 / 17
	}
	if !privileged && v < t.OOMScoreAdj {
		return unix.EACCES
	}
	t.OOMScoreAdj = v // and the lowest value stays
	return 0
}

// text renders one of the files.
func (t *Tunables) text(name string) string {
	switch name {
	case "oom_score_adj":
		return strconv.Itoa(t.OOMScoreAdj) + "\n"
	case "oom_adj":
		v := t.OOMScoreAdj * 17 / 1000
		if t.OOMScoreAdj == 1000 {
			v = 15
		}
		return strconv.Itoa(v) + "\n"
	case "coredump_filter":
		return string(appendHex(nil, uint64(t.dumpFilter^defaultDumpFilter), 8, "\n"))
	case "loginuid":
		return strconv.FormatUint(uint64(t.loginUID-1), 10)
	case "autogroup":
		return "/autogroup-1 nice " + strconv.Itoa(t.Nice) + "\n"
	}
	return strconv.FormatUint(t.TimerSlack, 10) + "\n"
}

// oomScore is oom_badness() of a process that uses next to no memory.
func oomScore(_ *Normaliser, _ where, _ []byte, f Facts) ([]byte, bool) {
	return []byte(strconv.Itoa((1000+f.Tunables.OOMScoreAdj)*2/3) + "\n"), true
}

func tunable(_ *Normaliser, w where, _ []byte, f Facts) ([]byte, bool) {
	return []byte(f.Tunables.text(w.name)), true
}
