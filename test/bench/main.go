package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

type options struct {
	json, md, rows, cache, dettrace, images, memory string
	pairs, cpu, outputMB, importMB                  int
	peer, skipMemory, profile                       bool
	scale                                           scale
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.json, "json", "", "write the result as JSON to `FILE`")
	f.StringVar(&o.md, "md", "", "write the table as Markdown to `FILE` (default standard output)")
	f.StringVar(&o.rows, "rows", "", "only rows whose name has one of these `WORDS`, comma-separated")
	f.StringVar(&o.cache, "cache", defaultCache(), "where test/real/fetch.sh put the sources")
	f.StringVar(&o.dettrace, "dettrace", "", "`BINARY` to measure (default: built from this tree)")
	f.IntVar(&o.pairs, "pairs", 5, "runs of each side")
	f.IntVar(&o.cpu, "cpu", 0, "the CPU of all runs")
	f.BoolVar(&o.peer, "peer", true, "measure strace, proot, gVisor and bubblewrap too, where they are installed, with two pairs")
	f.BoolVar(&o.profile, "profile", false, "say of one run of each row where its time goes, and nothing else")
	f.BoolVar(&o.skipMemory, "no-memory", false, "leave out the memory rows")
	f.StringVar(&o.images, "image-files", "10000,1000000", "sizes of the untouched images, in files")
	f.IntVar(&o.outputMB, "output-mb", 2048, "size of the large output, in MB; the full row is 20480")
	f.StringVar(&o.memory, "output-memory", "512M", "memory limit of the large output; the full row is 5G")
	f.IntVar(&o.importMB, "import-mb", 1024, "size of the imported images, in MB; 0: none")
	f.IntVar(&o.scale.seqMB, "seq-mb", 1024, "size of the sequential row, in MB")
	f.IntVar(&o.scale.files, "files", 10000, "files of the untar row")
	f.IntVar(&o.scale.spawns, "spawns", 300, "processes of the spawn row")
	f.Float64Var(&o.scale.micro, "scale", 1, "factor on the counts of the loops")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.pairs < 1 {
		return o, errors.New("-pairs must be at least 1")
	}
	return o, nil
}

func defaultCache() string {
	if dir := os.Getenv("DETTRACE_CACHE"); dir != "" {
		return dir
	}
	return filepath.Join(os.Getenv("HOME"), ".cache", "dettrace")
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		err = bench(ctx, o)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options) error {
	tmp, err := os.MkdirTemp("/var/tmp", "dettrace-bench-bin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if o.dettrace == "" {
		o.dettrace = filepath.Join(tmp, "dettrace")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.dettrace, "dettrace/cmd/dettrace")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	source, err := sourceDir(ctx)
	if err != nil {
		return err
	}
	micro, err := compileMicro(o.cache, filepath.Join(source, "micro", "micro.c"))
	if err != nil {
		return err
	}
	if err := makeFiles(o.cache, o.scale.files); err != nil {
		return fmt.Errorf("archive of files: %w", err)
	}
	if err := makeSQLite(ctx, o.cache); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err) // its row fails
	}
	if o.profile {
		return writeTo(o.md, os.Stdout, func(w io.Writer) error { return writeProfiles(w, profileRows(ctx, o, source, micro)) })
	}
	report := Report{Machine: machine()}
	if err := measureAll(ctx, o, source, micro, &report); err != nil {
		return err
	}
	if wanted("image import", o.rows) {
		if report.Imports, err = importRows(ctx, o.dettrace, o.importMB, o.pairs); err != nil {
			return err
		}
	}
	if !o.skipMemory {
		var images []int
		for s := range strings.SplitSeq(o.images, ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				return fmt.Errorf("-image-files: %w", err)
			}
			images = append(images, n)
		}
		if report.Memory, err = memoryRows(ctx, o.cache, o.dettrace, micro, images, o.outputMB, o.memory); err != nil {
			return err
		}
	}
	return errors.Join(writeTo(o.json, io.Discard, report.writeJSON), writeTo(o.md, os.Stdout, report.writeMarkdown))
}

// measureAll fills in the rows. A workload that fails becomes a row that
// says so: the others are still worth having.
func measureAll(ctx context.Context, o options, source, micro string, report *Report) error {
	base := runner{cpu: o.cpu, scratch: "/var/tmp", micro: micro, limit: 20 * time.Minute}
	native, guest := base, base
	native.name = "native"
	guest.name, guest.wrap, guest.container = "dettrace", []string{o.dettrace, "run"}, true
	others := []runner{guest}
	if o.peer {
		for _, argv := range peers() {
			p := base
			p.name, p.wrap = argv[0], argv
			if _, err := exec.LookPath(p.name); err == nil {
				others = append(others, p)
			}
		}
	}
	starts := map[string]pair{}
	for i, w := range workloads(o.cache, source, o.scale) {
		if i > 0 && !wanted(w.name, o.rows) { // the first one is the start-up
			continue
		}
		for _, other := range others {
			n := o.pairs
			if !other.container {
				n = min(n, 2)
			}
			fmt.Fprintf(os.Stderr, "bench: %s: %s\n", w.name, other.name)
			pairs, err := interleave(ctx, w, native, other, n)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			row := newRow(w, other.name, pairs, starts[other.name])
			if i == 0 {
				starts[other.name] = pair{
					Native: cost{Wall: row.Native.Median},
					Other:  cost{Wall: row.Wall.Median},
				}
			}
			if err != nil {
				row.Error = err.Error()
			}
			report.Rows = append(report.Rows, row)
		}
	}
	return nil
}

// peers are other programs that run a command under control of some kind, with
// what each needs to let it pass. None of them makes results repeat. rr and
// Hermit need hardware counters, which virtual machines mostly have not.
func peers() [][]string {
	return [][]string{
		{"strace", "-f", "-o", "/dev/null"},
		{"proot", "-r", "/", "-w", "."}, // rewrites paths by ptrace
		{"runsc", "--rootless=false", "--ignore-cgroups", "--network=none", "do", "-quiet"}, // gVisor: a kernel in user space
		{"bwrap", "--dev-bind", "/", "/", "--proc", "/proc", "--unshare-all"},               // namespaces and nothing else
	}
}

func interleave(ctx context.Context, w workload, native, other runner, n int) ([]pair, error) {
	var pairs []pair
	for range n {
		a, err := native.run(ctx, w)
		if err != nil {
			return pairs, err
		}
		b, err := other.run(ctx, w)
		if err != nil {
			return pairs, err
		}
		pairs = append(pairs, pair{a, b})
	}
	return pairs, nil
}

func wanted(name, words string) bool {
	if words == "" {
		return true
	}
	for w := range strings.SplitSeq(words, ",") {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// sourceDir is where this package's files are; go run may start anywhere in
// the module.
func sourceDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "dettrace/test/bench").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func machine() map[string]string {
	m := map[string]string{"cpus": strconv.Itoa(runtime.NumCPU()), "cpu": "unknown", "kernel": "unknown"}
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m["kernel"] = strings.TrimSpace(string(data))
	}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m["cpu"] = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

func writeTo(path string, otherwise io.Writer, write func(io.Writer) error) error {
	if path == "" {
		return write(otherwise)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
