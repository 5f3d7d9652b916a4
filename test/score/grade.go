package main

import (
	"slices"
	"strings"

	"dettrace/internal/explain"
)

// grade is what explain got right of one package.
type grade struct {
	right, wrong, missed, extra []string // sources; extra are those that it names falsely
}

// gradeOf compares a report with the causes that are expected. A source that is
// found is right if one of its causes is of the process and reaches the file
// that are expected, else wrong.
func gradeOf(want []cause, r *explain.Report) (g grade) {
	var found []string
	for _, c := range r.Causes {
		for _, s := range strings.Split(c.Source, "+") {
			if !slices.Contains(found, s) {
				found = append(found, s)
			}
		}
	}
	for _, w := range want {
		switch {
		case !slices.Contains(found, w.source):
			g.missed = append(g.missed, w.source)
		case slices.ContainsFunc(r.Causes, w.is):
			g.right = append(g.right, w.source)
		default:
			g.wrong = append(g.wrong, w.source)
		}
	}
	for _, s := range found {
		if !slices.ContainsFunc(want, func(w cause) bool { return w.source == s }) {
			g.extra = append(g.extra, s)
		}
	}
	return g
}

// is reports whether a cause that was found is the one that is expected.
func (w cause) is(c explain.Cause) bool {
	if c.Source != w.source {
		return false
	}
	if w.command != anyUse && (c.Use == nil || !strings.Contains(strings.Join(c.Who, " "), w.command)) {
		return false
	}
	return slices.ContainsFunc(c.Places, func(p explain.Place) bool { return strings.Contains(p.Path, w.file) })
}
