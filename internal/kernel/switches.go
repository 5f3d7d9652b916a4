package kernel

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"

	"dettrace/internal/ptrace"
	"dettrace/internal/sched"
	"dettrace/internal/schedule"
)

// maxSwitches bounds what is described; the decisions themselves are complete.
const maxSwitches = 1000

// turnEnd is what is known of the turn that ended last.
type turnEnd struct {
	from, where string
}

// endTurn notes where t's turn ends, if somebody may want to know.
func (k *Kernel) endTurn(t *Task, sprung bool) {
	if k.cfg.Policy == nil || len(k.switches) >= maxSwitches {
		return
	}
	k.turn = turnEnd{from: k.threadName(t), where: k.lastCall(t)}
	if sprung {
		var r ptrace.Regs
		if ptrace.GetRegs(t.tid, &r) == nil {
			k.turn.where = k.place(t, r.Rip) + ", after " + k.turn.where
		}
	}
}

// beginTurn describes the decisions that led to t's turn.
func (k *Kernel) beginTurn(t *Task) {
	if k.cfg.Policy == nil {
		return
	}
	all := k.sched.Decisions()
	for ; k.described < len(all) && len(k.switches) < maxSwitches; k.described++ {
		k.switches = append(k.switches, schedule.Switch{
			Decision: all[k.described], At: k.Now() - k.cfg.Epoch,
			From: k.turn.from, Where: k.turn.where, To: k.threadName(t), Resumes: k.lastCall(t),
		})
	}
	k.turn = turnEnd{from: k.threadName(t), where: "its end"}
}

// Decisions are what the Policy decided, and Switches what is known of them.
func (k *Kernel) Decisions() []sched.Decision { return k.sched.Decisions() }

// Switches describes the first changes of turn that the Policy decided.
func (k *Kernel) Switches() []schedule.Switch { return k.switches }

func (k *Kernel) threadName(t *Task) string {
	return t.proc.describe() + " thread " + itoa(t.vtid)
}

// lastCall names the last call of t that stopped.
func (k *Kernel) lastCall(t *Task) string {
	if !t.called {
		return "its start"
	}
	if t.callNr >= 0 && t.callNr < len(k.calls) && k.calls[t.callNr] != nil {
		return k.calls[t.callNr].row.Name
	}
	return "call " + itoa(t.callNr)
}

// place names an address of user code as addr2line(1) takes it: the mapped
// file and the offset in it.
func (k *Kernel) place(t *Task, addr uint64) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(t.proc.pid) + "/maps")
	if err != nil {
		return hex(addr)
	}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 6 || !strings.HasPrefix(f[5], "/") {
			continue
		}
		lo, hi, _ := strings.Cut(f[0], "-")
		from, _ := strconv.ParseUint(lo, 16, 64)
		to, _ := strconv.ParseUint(hi, 16, 64)
		if addr < from || addr >= to {
			continue
		}
		off, _ := strconv.ParseUint(f[2], 16, 64)
		return path.Base(f[5]) + "+" + hex(addr-from+off)
	}
	return hex(addr)
}
