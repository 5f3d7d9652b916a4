package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

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

// TestEveryCommand: what can be run has a page with examples, and its results as JSON.
func TestEveryCommand(t *testing.T) {
	otherwise := map[string]string{ // without --json
		"dettrace":        "prints its help",
		"dettrace image":  "prints its help",
		"dettrace run":    "its output is the command's; --report writes JSON",
		"dettrace shell":  "as run",
		"dettrace attest": "writes a statement, which is JSON",
	}
	dir, status := t.TempDir(), 0
	root := cli.App{}.Root(&status)
	if err := generate(dir, root); err != nil {
		t.Fatal(err)
	}
	seen := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return // cobra's own
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
		name := c.CommandPath()
		page := filepath.Join(dir, "man1", strings.ReplaceAll(name, " ", "-")+".1")
		if _, err := os.Stat(page); err != nil {
			t.Error(err)
		}
		if !c.Runnable() {
			return
		}
		seen++
		if c.Example == "" {
			t.Errorf("%s: no example", name)
		}
		if json := c.Flags().Lookup("json") != nil || c.InheritedFlags().Lookup("json") != nil; json == (otherwise[name] != "") {
			t.Errorf("%s: --json: %v", name, json)
		}
	}
	walk(root)
	if seen < 20 {
		t.Errorf("only %d commands", seen)
	}
}
