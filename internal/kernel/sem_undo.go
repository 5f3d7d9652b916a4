package kernel

import (
	"slices"

	"golang.org/x/sys/unix"
)

// semAdjust is what the end of a process gives back to a set (SEM_UNDO).
type semAdjust struct {
	set *semSet // nil when it was removed
	by  []int
}

// semUndoList belongs to a thread, or to all that clone(2) made with
// CLONE_SYSVSEM.
type semUndoList struct {
	users int
	list  []*semAdjust
}

// undoFor finds or makes t's adjustments of a set.
func (t *Task) undoFor(s *semSet) *semAdjust {
	if t.undo == nil {
		t.undo = &semUndoList{users: 1}
	}
	for _, a := range t.undo.list {
		if a.set == s {
			return a
		}
	}
	t.undo.list = slices.DeleteFunc(t.undo.list, func(a *semAdjust) bool { return a.set == nil })
	a := &semAdjust{set: s, by: make([]int, len(s.sems))}
	t.undo.list = append(t.undo.list, a)
	s.undos = append(s.undos, a)
	return a
}

// shareUndo is the birth of a thread of t with CLONE_SYSVSEM.
func (t *Task) shareUndo(child *Task) {
	if t.undo == nil {
		t.undo = &semUndoList{users: 1}
	}
	t.undo.users++
	child.undo = t.undo
}

// semExit gives back what a dying thread, the last user of its list, holds
// (exit_sem; newest first). A value cannot leave its range.
func (k *Kernel) semExit(t *Task) {
	u := t.undo
	t.undo = nil
	if u == nil {
		return
	}
	if u.users--; u.users > 0 {
		return
	}
	for i := len(u.list) - 1; i >= 0; i-- {
		a := u.list[i]
		s := a.set
		if s == nil {
			continue
		}
		s.undos = without(s.undos, a)
		for n, by := range a.by {
			if by != 0 {
				s.sems[n].val = min(max(s.sems[n].val+by, 0), semValMax)
				s.sems[n].pid = t.proc.vpid
			}
		}
		k.semServe(s)
		s.otime = k.seconds()
	}
}

// unshareUndo is unshare(2) with CLONE_SYSVSEM.
func (k *Kernel) unshareUndo(t *Task) {
	if t.callNr == unix.SYS_UNSHARE && t.arg(0)&unix.CLONE_SYSVSEM != 0 {
		k.semExit(t)
	}
}
