package lint

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"testing"
)

// TestForbiddenCalls holds the core to the rule.
func TestForbiddenCalls(t *testing.T) {
	used := make(map[exception]bool)
	for _, f := range core(t) {
		ok := false
		for _, e := range allowed() {
			if e.file == f.File && e.function == f.Func && e.what == f.What {
				ok, used[e] = true, true
			}
		}
		if !ok {
			t.Errorf("%s:%d: %s: %s in the core; pass it in, sort it, or give the reason in allow_test.go", f.File, f.Line, f.Func, f.What)
		}
	}
	for _, e := range allowed() {
		if e.reason == "" {
			t.Errorf("allow_test.go: %s %s: no reason", e.file, e.function)
		}
		if !used[e] {
			t.Errorf("allow_test.go: %s %s %s: no longer needed", e.file, e.function, e.what)
		}
	}
}

// TestRuleSees shows that the rule can fail.
func TestRuleSees(t *testing.T) {
	const src = `package p
import (
	. "fmt"
	clock "time"
	"os"
	_ "math/rand"
)
type T struct{}
func (*T) Method(m map[string]int) {
	clock.Now()
	f := os.Environ
	for k := range m { Println(k, f) }
	for k, v := range m { m[k] = v+1 }
	for k := range m { delete(m, k) }
	var t clock.Time
	t.After(t)
	for range []int{} { Println() }
}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue), Defs: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: importer.Default()}
	if _, err := config.Check("p", fset, []*ast.File{file}, info); err != nil {
		config.Importer = importer.ForCompiler(fset, "source", nil)
		if _, err := config.Check("p", fset, []*ast.File{file}, info); err != nil {
			t.Fatal(err)
		}
	}
	want := []Finding{
		{"p.go", 6, "", "import math/rand"},
		{"p.go", 10, "T.Method", "time.Now"},
		{"p.go", 11, "T.Method", "os.Environ"},
		{"p.go", 12, "T.Method", "range over map"},
	}
	got := CheckFile(fset, file, "p.go", info)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
}
