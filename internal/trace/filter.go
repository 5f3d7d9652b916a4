package trace

import (
	"path"
	"slices"
	"strings"
)

// Filter selects records. Its zero value selects all.
type Filter struct {
	PIDs     []int
	Children bool     // of PIDs, too
	Calls    []string // names of system calls, and kinds: birth, exec, exit, signal
	Paths    []string // patterns of path.Match, or directories: what is below, too
	From, To int64    // logical ns; To 0: to the end
	Failed   bool     // only calls that gave an error

	children map[int]bool
}

// Match reports whether r is selected. Records must come in their order, as the births
// in between tell whose child a process is.
func (f *Filter) Match(r *Record) bool {
	mine := len(f.PIDs) == 0 || slices.Contains(f.PIDs, r.PID) || f.children[r.PID]
	if f.Children && r.Kind == Birth && r.PID == r.TID {
		if slices.Contains(f.PIDs, r.Parent) || f.children[r.Parent] {
			if f.children == nil {
				f.children = map[int]bool{}
			}
			f.children[r.PID] = true
			mine = true
		}
	}
	switch {
	case !mine,
		len(f.Calls) > 0 && !slices.Contains(f.Calls, r.Name) && !slices.Contains(f.Calls, string(r.Kind)),
		r.Time < f.From, f.To > 0 && r.Time > f.To,
		f.Failed && !r.Failed():
		return false
	}
	return len(f.Paths) == 0 || f.names(r.File) || f.names(r.Other)
}

func (f *Filter) names(file *File) bool {
	if file == nil {
		return false
	}
	for _, p := range f.Paths {
		if ok, err := path.Match(p, file.Path); err == nil && ok {
			return true
		}
		if file.Path == p || strings.HasPrefix(file.Path, strings.TrimSuffix(p, "/")+"/") {
			return true
		}
	}
	return false
}
