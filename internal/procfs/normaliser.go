package procfs

import (
	"strings"

	"dettrace/internal/machine"
	"dettrace/internal/schedattr"
)

// A Normaliser rewrites the files that procfs has for each process. It does
// not change; several readers may share one as far as ids and Random allow it.
type Normaliser struct {
	m             machine.Machine
	ids           func(dev, ino uint64) (uint64, uint64)
	root, process []namedRule

	// Random fills a slice from the run's random stream. Without it
	// sys/kernel/random/uuid is unknown.
	Random func([]byte)

	// Original, if not nil, tells what a mapping at addr of a file, from
	// offset (0 if that is not known), stands for.
	Original func(name string, addr, offset uint64) (Mapped, bool)

	// Hidden, if not nil, tells that a mapping at addr of a file is ours and
	// not shown.
	Hidden func(name string, addr uint64) bool
}

// Mapped is where in which file a mapping begins.
type Mapped struct {
	Dev, Ino, Offset uint64 // as the kernel has them
	Name             string
}

// NewNormaliser makes a Normaliser for machine m. ids maps the kernel's
// device (as st_dev has it) and inode number to those that the guest sees.
func NewNormaliser(m machine.Machine, ids func(dev, ino uint64) (uint64, uint64)) *Normaliser {
	return &Normaliser{m: m, ids: ids, root: rootRules(), process: processRules()}
}

// Facts is what the supervisor knows of a process and the kernel does not.
type Facts struct {
	Now       int64     // ns since 1970
	Start     int64     // when the process started, ns since 1970
	CPUTime   int64     // ns of CPU time, shown as user time
	ChildTime int64     // ns that children used which were waited for
	State     byte      // letter of proc_pid_stat(5); 0: as the kernel has it
	Comm      string    // shown for pid 1, whose program is ours; others keep the kernel's
	Groups    *[]uint32 // supplementary groups; nil: as the kernel has them
	IPC       []byte    // sysvipc/*: the whole text, which the supervisor renders
	Sockets   []byte    // net/tcp and the like: the lines below the header
	FDIno     uint64    // fdinfo: st_ino as the guest sees it; 0: mapped from FDDev and the kernel's
	FDDev     uint64    // fdinfo: the kernel's st_dev of the open file
	Tunables  Tunables
	Limits    []Limit // those that are not the kernel's
	Attr      schedattr.Attr
}

// A rule renders one file.
type rule struct {
	render func(n *Normaliser, w where, raw []byte, f Facts) ([]byte, bool)
	asks   bool // render wants the kernel's text raw; else raw is nil
}

func asks(f func(*Normaliser, where, []byte, Facts) ([]byte, bool)) rule { return rule{f, true} }
func own(f func(*Normaliser, where, []byte, Facts) ([]byte, bool)) rule  { return rule{f, false} }

// constant is the rule of a file with the same text in every process.
func constant(text string) rule {
	return own(func(*Normaliser, where, []byte, Facts) ([]byte, bool) { return []byte(text), true })
}

// native is the text of a file which the guest alone decides.
func native(_ *Normaliser, _ where, raw []byte, _ Facts) ([]byte, bool) { return raw, true }

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
// "uptime"), for which the kernel has the text raw. ok is false for a file
// that must not be read.
func (n *Normaliser) File(rel string, raw []byte, f Facts) (out []byte, ok bool) {
	w, ok := locate(rel)
	if !ok {
		return nil, false
	}
	r := n.find(w)
	if r.render == nil {
		return nil, false
	}
	return r.render(n, w, raw, f)
}

// Known reports whether File has a rule for rel, and whether that rule wants
// the kernel's text. A supervisor that asks first refuses the rest with one
// errno, whatever the host's kernel would have said, and reads nothing that
// the host lets only some users read.
func (n *Normaliser) Known(rel string) (known, asks bool) {
	w, ok := locate(rel)
	if !ok {
		return false, false
	}
	r := n.find(w)
	return r.render != nil, r.asks
}

func (n *Normaliser) find(w where) rule {
	if w.pid == "" {
		return lookup(n.root, w.name)
	}
	if i := strings.LastIndexByte(w.name, '/'); i > 0 {
		switch dir, base := w.name[:i], w.name[i+1:]; dir {
		case "fdinfo":
			if isNumber(base) {
				return asks(fdinfo)
			}
		case "net":
			if _, ok := netFile(base); ok {
				return own(netRule)
			}
		}
		return rule{}
	}
	return lookup(n.process, w.name)
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
	return rule{}
}

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
