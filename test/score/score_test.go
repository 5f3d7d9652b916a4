package main

import (
	"os"
	"slices"
	"testing"

	"dettrace/internal/explain"
	"dettrace/internal/vary"
)

func TestTable(t *testing.T) {
	b, err := os.ReadFile("packages.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 20 {
		t.Errorf("%d packages, want 20", len(list))
	}
	for _, bad := range []string{"Build: make", "Package: x\nCause: moon | - | x | y", "Package: x\nCause: time | x", "Package: x\nOther: y", "Package: x\nBuild: y"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestGrade(t *testing.T) {
	place := []explain.Place{{Path: "/build/src/x.tar!a"}}
	r := &explain.Report{Causes: []explain.Cause{
		{Source: "time", Use: &vary.Use{}, Who: []string{"sh", "x"}, Places: place},
		{Source: "time", Use: &vary.Use{}, Who: []string{"date", "+%F"}, Places: place},
		{Source: "pid", Use: &vary.Use{}, Who: []string{"sh"}, Places: place},
		{Source: "umask", Places: place},
		{Source: "domain_host+kernel", Places: place},
		{Source: "disk", Places: []explain.Place{{Path: "/build/src/y"}}},
	}}
	g := gradeOf([]cause{
		{"time", "date", "x.tar", ""}, {"pid", "gcc", "x.tar", ""}, {"umask", "-", "x.tar!a", ""},
		{"random", "-", "x.tar", ""}, {"disk", "-", "x.tar", ""}, {"kernel", "-", "x.tar", ""},
	}, r)
	for _, x := range []struct {
		what      string
		got, want []string
	}{
		{"right", g.right, []string{"time", "umask"}},
		{"wrong", g.wrong, []string{"pid", "disk", "kernel"}},
		{"missed", g.missed, []string{"random"}},
		{"false", g.extra, []string{"domain_host"}},
	} {
		if !slices.Equal(x.got, x.want) {
			t.Errorf("%s: %v, want %v", x.what, x.got, x.want)
		}
	}
}
