// Package lint holds the rule of forbidden calls: what would let the host's
// time, randomness or environment, or Go's random map order, into a run.
// It is a test, so that `go test ./...` fails when the rule is broken.
//
// The core is every package below internal/ but those listed in Edge. An
// exception needs a line in Allowed, with the reason; one that is no longer
// needed fails the test, too.
package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// Edge are the packages through which the host may come in: they only parse
// the command line and say what came from where.
func Edge() []string { return []string{"internal/cli", "internal/settings", "internal/lint"} }

// Finding is one use of something forbidden.
type Finding struct {
	File string // relative to the module
	Line int
	Func string // enclosing function, as Recv.Name
	What string // "time.Now", "import math/rand", "range over map", ...
}

// forbidden are functions of the standard library, and why.
func forbidden() map[string]string {
	return map[string]string{
		"time.Now":       "the host's time",
		"time.Since":     "the host's time",
		"time.Until":     "the host's time",
		"time.After":     "the host's time",
		"time.AfterFunc": "the host's time",
		"time.Tick":      "the host's time",
		"time.NewTimer":  "the host's time",
		"time.NewTicker": "the host's time",
		"time.Sleep":     "the host's time",
		"time.Local":     "the host's time zone",
		"os.Environ":     "the host's environment",
		"os.Getenv":      "the host's environment",
		"os.LookupEnv":   "the host's environment",
		"os.ExpandEnv":   "the host's environment",
		"os.Hostname":    "the host's name",
	}
}

// forbiddenImports are packages that are never right in the core.
func forbiddenImports() map[string]string {
	return map[string]string{
		"math/rand":    "v1 is seeded from the host unless told otherwise; use math/rand/v2 with a seeded ChaCha8",
		"crypto/rand":  "the host's randomness",
		"hash/maphash": "a seed per process",
	}
}

// CheckFile finds what is forbidden in one file. info holds the uses and
// types of its package.
func CheckFile(fset *token.FileSet, file *ast.File, name string, info *types.Info) []Finding {
	var found []Finding
	function := ""
	report := func(at token.Pos, what string) {
		found = append(found, Finding{File: name, Line: fset.Position(at).Line, Func: function, What: what})
	}
	for _, imp := range file.Imports {
		path := strings.Trim(imp.Path.Value, `"`)
		if _, bad := forbiddenImports()[path]; bad {
			report(imp.Pos(), "import "+path)
		}
	}
	for _, decl := range file.Decls {
		function = ""
		if f, ok := decl.(*ast.FuncDecl); ok {
			function = funcName(f)
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				obj := info.Uses[n.Sel]
				if obj == nil || obj.Pkg() == nil {
					break
				}
				if fn, ok := obj.(*types.Func); ok && fn.Signature().Recv() != nil {
					break
				}
				full := obj.Pkg().Path() + "." + obj.Name()
				if _, bad := forbidden()[full]; bad {
					report(n.Pos(), full)
				}
			case *ast.RangeStmt:
				if t := info.TypeOf(n.X); t != nil && isMap(t) && !harmless(n, info) {
					report(n.Pos(), "range over map")
				}
			}
			return true
		})
	}
	return found
}

func isMap(t types.Type) bool {
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// harmless reports whether the loop's effect cannot depend on its order: its
// body only deletes from maps, sets map elements that the key alone decides,
// or counts.
func harmless(loop *ast.RangeStmt, info *types.Info) bool {
	for _, stmt := range loop.Body.List {
		switch s := stmt.(type) {
		case *ast.IncDecStmt:
		case *ast.ExprStmt:
			call, ok := s.X.(*ast.CallExpr)
			if !ok {
				return false
			}
			id, ok := call.Fun.(*ast.Ident)
			if !ok || id.Name != "delete" {
				return false
			}
		case *ast.AssignStmt:
			if len(s.Lhs) != 1 || s.Tok != token.ASSIGN {
				return false
			}
			index, ok := s.Lhs[0].(*ast.IndexExpr)
			if !ok || !isMap(info.TypeOf(index.X)) || !sameIdent(index.Index, loop.Key) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func sameIdent(a, b ast.Expr) bool {
	x, okX := a.(*ast.Ident)
	y, okY := b.(*ast.Ident)
	return okX && okY && x.Name == y.Name
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
