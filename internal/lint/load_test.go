package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is what `go list` says about a package.
type listed struct {
	ImportPath, Dir, Export string
	Standard                bool
	GoFiles                 []string
	Module                  *struct{ Path, Dir string }
}

// core checks every file of the core. Types of imports come from the build
// cache, so that no package is checked twice.
func core(t *testing.T) []Finding {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,Standard,GoFiles,Module", "dettrace/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	exports := make(map[string]string)
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if !p.Standard && p.Module != nil && p.Module.Path == "dettrace" && inCore(p.ImportPath) {
			packages = append(packages, p)
		}
	}
	if len(packages) == 0 {
		t.Fatal("no package of the core found")
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	var found []Finding
	for _, p := range packages {
		found = append(found, checkPackage(t, fset, imports, p)...)
	}
	return found
}

func inCore(path string) bool {
	rel := strings.TrimPrefix(path, "dettrace/")
	return strings.HasPrefix(rel, "internal/") && !slices.ContainsFunc(Edge(), func(e string) bool {
		return rel == e || strings.HasPrefix(rel, e+"/")
	})
}

func checkPackage(t *testing.T, fset *token.FileSet, imports types.Importer, p listed) []Finding {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue), Defs: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: imports}
	if _, err := config.Check(p.ImportPath, fset, files, info); err != nil {
		t.Fatal(err)
	}
	var found []Finding
	for i, f := range files {
		rel, err := filepath.Rel(p.Module.Dir, filepath.Join(p.Dir, p.GoFiles[i]))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, CheckFile(fset, f, rel, info)...)
	}
	return found
}
