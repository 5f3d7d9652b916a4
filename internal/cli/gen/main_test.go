package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/internal/cli"
)

// TestGenerate: every command has a page, and the pages are the same each time.
func TestGenerate(t *testing.T) {
	var first map[string]string
	for range 2 {
		dir, status := t.TempDir(), 0
		if err := generate(dir, cli.App{}.Root(&status)); err != nil {
			t.Fatal(err)
		}
		files := make(map[string]string)
		for _, name := range []string{"man1/dettrace.1", "man1/dettrace-run.1", "man1/dettrace-syscalls.1", "completion/dettrace.bash", "completion/_dettrace", "completion/dettrace.fish"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(b)
			if first != nil && first[name] != files[name] {
				t.Errorf("%s differs from one time to the next", name)
			}
		}
		first = files
	}
	// roff writes a hyphen-minus with a backslash.
	if page := strings.ReplaceAll(first["man1/dettrace-run.1"], `\`, ""); !strings.Contains(page, "--write-back") || !strings.Contains(page, "EXAMPLE") {
		t.Errorf("the page of run lacks flags or examples:\n%s", page)
	}
}
