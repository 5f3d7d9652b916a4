// Command score runs dettrace explain on real source packages that differ from
// build to build, and compares what it finds with the causes that were written
// down by reading them (packages.txt).
//
//	go run ./test/score [-packages lsof,zlib] [-natively] [-md FILE] [-json DIR]
//
// Needs root, apt sources for Debian bookworm, and faketime.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dettrace/internal/explain"
)

type options struct {
	dir, cache, dettrace, md, json string
	packages                       []string
	natively                       bool
	limit                          time.Duration
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	o := options{dir: "test/score"}
	f := flag.NewFlagSet("score", flag.ContinueOnError)
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	names := f.String("packages", "", "only these, with commas between")
	f.StringVar(&o.cache, "cache", filepath.Join(home, ".cache", "dettrace"), "where sources are kept")
	f.StringVar(&o.dettrace, "dettrace", "./dettrace", "the `BINARY`")
	f.StringVar(&o.md, "md", "", "append the rows to `FILE` as they come")
	f.StringVar(&o.json, "json", "", "keep the reports in `DIR`")
	f.BoolVar(&o.natively, "natively", false, "only check that the packages differ natively")
	f.DurationVar(&o.limit, "limit", time.Hour, "of one package")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *names != "" {
		o.packages = strings.Split(*names, ",")
	}
	for _, p := range []*string{&o.dettrace, &o.dir, &o.cache} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(filepath.Join(o.dir, "packages.txt"))
	if err != nil {
		return err
	}
	list, err := parse(string(b))
	if err != nil {
		return fmt.Errorf("packages.txt: %w", err)
	}
	for _, name := range o.packages {
		if !slices.ContainsFunc(list, func(p pkg) bool { return p.name == name }) {
			return fmt.Errorf("-packages: no package %q in packages.txt", name)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return o.score(ctx, list, out)
}

func (o *options) score(ctx context.Context, list []pkg, out io.Writer) error {
	var sum grade
	var failed []error
	for i := range list {
		p := &list[i]
		if len(o.packages) > 0 && !slices.Contains(o.packages, p.name) {
			continue
		}
		row, g, err := o.one(ctx, p)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
			fmt.Fprintln(os.Stderr, "score:", failed[len(failed)-1])
			continue
		}
		sum.right, sum.wrong = append(sum.right, g.right...), append(sum.wrong, g.wrong...)
		sum.missed, sum.extra = append(sum.missed, g.missed...), append(sum.extra, g.extra...)
		if err := o.emit(out, row); err != nil {
			return err
		}
	}
	if !o.natively {
		row := fmt.Sprintf("| all | %d | %d | %d | %d | | |\n", len(sum.right), len(sum.wrong), len(sum.missed), len(sum.extra))
		failed = append(failed, o.emit(out, row))
	}
	return errors.Join(failed...)
}

func (o *options) emit(out io.Writer, row string) error {
	if _, err := io.WriteString(out, row); err != nil || o.md == "" {
		return err
	}
	f, err := os.OpenFile(o.md, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, row)
	return errors.Join(err, f.Close())
}

// one makes the row of a package.
func (o *options) one(ctx context.Context, p *pkg) (string, grade, error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	tree, err := o.unpacked(ctx, p)
	if err != nil {
		return "", grade{}, err
	}
	tmp, err := os.MkdirTemp("", "dettrace-score-")
	if err != nil {
		return "", grade{}, err
	}
	defer os.RemoveAll(tmp) // a file that stays in the temporary directory is no failure
	if o.natively {
		d, err := native(ctx, p, tree, tmp)
		if err == nil && len(d) == 0 {
			err = errors.New("does not differ natively")
		}
		return fmt.Sprintf("%s: differs natively: %s\n", p.name, strings.Join(d, " ")), grade{}, err
	}
	start := time.Now()
	r, err := o.explain(ctx, p, tree)
	if err != nil {
		return "", grade{}, err
	}
	g := gradeOf(p.causes, r)
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %d | %.0f |\n", p.name, words(g.right), words(g.wrong), words(g.missed), words(g.extra),
		r.Runs, time.Since(start).Seconds()), g, nil
}

func words(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}

func (o *options) explain(ctx context.Context, p *pkg, tree string) (*explain.Report, error) {
	args := []string{"explain", "--json", "--no-default-input", "-i", tree + ":/build/src"}
	for _, g := range p.only {
		args = append(args, "--only", g)
	}
	// What is printed on the way is no result.
	script := "exec 3>&2 >/tmp/build.log 2>&1; { " + p.build + "; } || { tail /tmp/build.log >&3; exit 1; }"
	c := exec.CommandContext(ctx, o.dettrace, append(args, "--", "sh", "-c", script)...)
	c.Dir, c.Cancel = os.TempDir(), func() error { return c.Process.Signal(os.Interrupt) }
	c.Stderr = os.Stderr
	b, err := c.Output()
	if c.ProcessState != nil && c.ProcessState.ExitCode() == 1 {
		err = nil // a source reaches something
	}
	r := &explain.Report{}
	if jerr := json.Unmarshal(b, r); err != nil || jerr != nil {
		return nil, errors.Join(err, jerr, errors.New(r.Tail))
	}
	if o.json != "" {
		err = errors.Join(os.MkdirAll(o.json, 0o755), os.WriteFile(filepath.Join(o.json, p.name+".json"), b, 0o644))
	}
	return r, err
}
