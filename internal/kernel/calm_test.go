package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"dettrace/internal/door"
	"dettrace/internal/sched"
)

// Who sends signals without having the turn makes the next wait ask for them.
func TestCalm(t *testing.T) {
	cases := map[string]func(*Kernel, *Task){
		"a timer":             func(k *Kernel, _ *Task) { k.sent() },
		"another turn":        func(_ *Kernel, x *Task) { x.sends = 0 },
		"job control":         func(_ *Kernel, x *Task) { x.stopping = true },
		"a mask of the call":  func(_ *Kernel, x *Task) { x.wait.hasMask = true },
		"a signalfd":          func(_ *Kernel, x *Task) { x.wait.sigfd = 1 },
		"a file with owner":   func(k *Kernel, _ *Task) { k.async = true },
		"a terminal":          func(k *Kernel, _ *Task) { k.terminals = true },
		"the end of a thread": func(k *Kernel, _ *Task) { k.removeTask(&Task{proc: &Process{}, th: k.sched.Add(nil)}) },
	}
	for name, send := range cases {
		if asked(t, send) != true {
			t.Errorf("%s: not asked", name)
		}
	}
	for _, d := range door.All() {
		if !asked(t, func(k *Kernel, _ *Task) { k.cfg.Open = door.Open([]string{d.Name}) }) {
			t.Errorf("with --allow %s: not asked", d.Name)
		}
	}
	if asked(t, func(*Kernel, *Task) {}) {
		t.Error("asked although nobody can have sent a signal")
	}
}

// asked parks a thread after send, and reports whether the kernel was asked for its
// signals: as it is one of ours and no tracee, by the file that tells of them.
// Of one that is to stop nothing need be asked.
func asked(t *testing.T, send func(*Kernel, *Task)) bool {
	k := &Kernel{sched: sched.New(0, 1), sends: 1}
	k.futexes.init()
	x := &Task{proc: &Process{}, tid: os.Getpid(), sends: k.sends}
	x.th = k.sched.Add(x)
	k.sched.Next()
	x.wait.what = "a test"
	send(k, x)
	if err := k.park(x, nil); err != nil {
		t.Fatal(err)
	}
	defer x.closeStatus()
	return x.status != 0 || x.sigWake
}

// Every function that sends a signal notes it.
func TestSendersAreNoted(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	senders := 0
	for _, e := range files {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name != "queueSignal" {
				sends, notes := sending(fn)
				if sends {
					senders++
				}
				if sends && !notes {
					t.Errorf("%s: %s sends a signal without Kernel.sent", e.Name(), fn.Name.Name)
				}
			}
		}
	}
	if senders == 0 {
		t.Error("no function was found to send signals")
	}
}

// sending reports whether fn sends a signal, and whether it calls Kernel.sent.
func sending(fn *ast.FuncDecl) (sends, notes bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch f := c.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		switch name {
		case "Kill", "Tgkill", "PidfdSendSignal", "queueSignal":
			null := false // asks only whether somebody is there
			for _, a := range c.Args[1:] {
				l, ok := a.(*ast.BasicLit)
				null = null || name != "queueSignal" && ok && l.Value == "0"
			}
			sends = sends || !null
		case "sent":
			notes = true
		}
		return true
	})
	return sends, notes
}
