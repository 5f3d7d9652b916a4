// Command gen writes the man pages and the shell completion of dettrace into
// a directory: gen DIR makes DIR/man1/*.1 and DIR/completion/*. It is a
// program of its own so that the packages for it are not in dettrace.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"dettrace/internal/cli"
	"dettrace/internal/settings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen DIR")
		os.Exit(2)
	}
	status := 0
	if err := generate(os.Args[1], cli.App{}.Root(&status)); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func generate(dir string, root *cobra.Command) error {
	for _, d := range []string{"man1", "completion"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	date := time.Unix(settings.DefaultEpoch, 0).UTC() // the same pages every day
	header := &doc.GenManHeader{Title: "DETTRACE", Section: "1", Source: "dettrace", Manual: "dettrace", Date: &date}
	if err := doc.GenManTree(root, header, filepath.Join(dir, "man1")); err != nil {
		return err
	}
	shells := []struct {
		name  string
		write func(io.Writer) error
	}{
		{"dettrace.bash", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"_dettrace", root.GenZshCompletion},
		{"dettrace.fish", func(w io.Writer) error { return root.GenFishCompletion(w, true) }},
	}
	for _, s := range shells {
		if err := writeFile(filepath.Join(dir, "completion", s.name), s.write); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
