package procfs

import (
	"strings"

	"dettrace/internal/machine"
)

// A Normaliser rewrites the files that procfs has for each process. It holds
// no state of its own; several readers may share one as far as ids allows it.
type Normaliser struct {
	m   machine.Machine
	ids func(dev, ino uint64) (uint64, uint64)

	// Random fills a slice from the run's random stream. Without it
	// sys/kernel/random/uuid is unknown.
	Random func([]byte)
}

// NewNormaliser makes a Normaliser for machine m. ids maps the kernel's
// device (as st_dev has it) and inode number to those that the guest sees.
func NewNormaliser(m machine.Machine, ids func(dev, ino uint64) (uint64, uint64)) *Normaliser {
	return &Normaliser{m: m, ids: ids}
}

// Facts is what the supervisor knows of a process and the kernel does not.
type Facts struct {
	Now     int64  // ns since 1970
	Start   int64  // when the process started, ns since 1970
	CPUTime int64  // ns of CPU time, shown as user time
	State   byte   // letter of proc_pid_stat(5); 0: as the kernel has it
	Comm    string // shown for pid 1, whose program is ours; others keep the kernel's
	IDs     *IDs   // nil: as the kernel has them
	FDIno   uint64 // fdinfo: st_ino as the guest sees it; 0: mapped from FDDev and the kernel's
	FDDev   uint64 // fdinfo: the kernel's st_dev of the open file
}

// IDs are the credentials of a process where the supervisor keeps them.
type IDs struct {
	UID, GID [4]uint32 // real, effective, saved, file system
	Groups   []uint32
}

// A rule renders one file. raw is the kernel's text, r the place of the file.
type rule func(n *Normaliser, r where, raw []byte, f Facts) ([]byte, bool)

// where is a path inside procfs, taken apart.
type where struct {
	pid  string // "" for a file that belongs to no process
	name string // below the process (or thread) directory
	task bool   // below PID/task/TID
}

// locate takes apart a path relative to the root of procfs. It reports false
// for a path that cannot be one.
func locate(rel string) (where, bool) {
	rel = strings.Trim(rel, "/")
	head, rest, _ := strings.Cut(rel, "/")
	if !isNumber(head) {
		return where{name: rel}, rel != ""
	}
	w := where{pid: head, name: rest}
	if sub, ok := strings.CutPrefix(rest, "task/"); ok {
		tid, name, _ := strings.Cut(sub, "/")
		if !isNumber(tid) {
			return where{}, false
		}
		w.name, w.task = name, true
	}
	return w, true
}

// File gives what the guest reads from the procfs file rel ("123/stat",
// "uptime"), for which the kernel has the text raw. Rules with a constant
// text do not look at raw. ok is false for a file that must not be read.
func (n *Normaliser) File(rel string, raw []byte, f Facts) (out []byte, ok bool) {
	w, ok := locate(rel)
	if !ok {
		return nil, false
	}
	r := n.find(w)
	if r == nil {
		return nil, false
	}
	return r(n, w, raw, f)
}

// Known reports whether File has a rule for rel. A supervisor that asks first
// refuses the rest with one errno, whatever the host's kernel would have said.
func (n *Normaliser) Known(rel string) bool {
	w, ok := locate(rel)
	return ok && n.find(w) != nil
}

func (n *Normaliser) find(w where) rule {
	if w.pid == "" {
		return lookup(rootRules(), w.name)
	}
	if i := strings.LastIndexByte(w.name, '/'); i > 0 {
		switch dir, base := w.name[:i], w.name[i+1:]; dir {
		case "fdinfo":
			if isNumber(base) {
				return fdinfo
			}
		case "net":
			if _, ok := netFile(base); ok {
				return netRule
			}
		}
		return nil
	}
	return lookup(processRules(), w.name)
}

type namedRule struct {
	name string
	rule rule
}

func lookup(rules []namedRule, name string) rule {
	for _, r := range rules {
		if r.name == name {
			return r.rule
		}
	}
	return nil
}

// constant is the rule of a file with the same text in every process.
func constant(text string) rule {
	return func(*Normaliser, where, []byte, Facts) ([]byte, bool) { return []byte(text), true }
}

// native is the rule of a file whose text the guest alone decides.
func native(_ *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) { return raw, true }

func isNumber(s string) bool {
	if s == "" || len(s) > 10 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
