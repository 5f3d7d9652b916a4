package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A workload is one row of the table.
type workload struct {
	name   string
	target float64 // ratio to reach, 0: none stated
	input  string  // a directory copied for each run, "" for an empty one
	fs     string  // directory of the native run, "" for the scratch default
	script string  // run by sh in the copy
	image  string  // an image directory that both sides run in, "" for the host's root; needs root
}

// scale shrinks the rows that are long or large.
type scale struct {
	seqMB, files, spawns int
	micro                float64
}

// workloads lists the rows of issue and catalogue. micro is the path of the
// compiled loops as both sides see it: in the run's own directory.
// source is the directory of this package.
func workloads(cache, source string, s scale) []workload {
	n := func(base int) int { return max(1, int(float64(base)*s.micro)) }
	loop := func(row, name string, count int, target float64) workload {
		return workload{name: row, target: target, script: fmt.Sprintf("./micro %s %d", name, count)}
	}
	list := []workload{
		{name: "start-up of true", script: "exec /bin/true"},
		{name: "compile Lua -O2, one job", target: 1.02, input: "src/lua", script: "make posix >/dev/null 2>&1"},
		{name: "compile SQLite -O2", target: 1.02, input: "bench/sqlite", script: "cc -O2 -c sqlite3.c"},
		{name: "configure GNU hello", target: 1.12, input: "src/hello", script: "./configure >/dev/null 2>&1"},
		{name: fmt.Sprintf("%d spawns of /bin/true", s.spawns), target: 1.15, script: fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", s.spawns)},
	}
	list = append(list, workload{name: "dpkg-buildpackage of hello", target: 1.12, input: "deb/hello", image: "image/debian",
		script: "cd src && dpkg-buildpackage -b -us -uc >/dev/null 2>&1"})
	untar := fmt.Sprintf("tar -xf files.tar && rm -rf files # %d", s.files)
	// The rows of single calls last long enough that the first ones, which stop, do not show.
	list = append(list,
		workload{name: fmt.Sprintf("untar, rm -rf of %d files (native ext4)", s.files), input: "bench/files", fs: "/var/tmp", script: untar},
		workload{name: fmt.Sprintf("untar, rm -rf of %d files (native tmpfs)", s.files), target: 2.5, input: "bench/files", fs: "/dev/shm", script: untar},
		loop(fmt.Sprintf("%d MB sequential write and read", s.seqMB), "seq", s.seqMB, 1.3),
		loop("CPU loop", "cpu", n(1_000_000), 1),
		loop("stat", "stat", n(500_000), 0),
		loop("open+close", "open", n(250_000), 0),
		loop("fstat", "fstat", n(1_000_000), 0),
		loop("read 4 KB", "read", n(1_000_000), 0),
		loop("1-byte pipe ping-pong", "pipe", n(20_000), 6),
		loop("1-byte loopback TCP echo", "tcp", n(20_000), 0),
		loop("futex ping-pong of two threads", "futex", n(10_000), 6),
		loop("start and join of 1,000 threads", "threads", 1000, 0),
		workload{name: "Python CPU loop, 4 threads", target: 1.02, script: fmt.Sprintf("python3 -c '%s' %d", pythonThreads, n(4_000_000))},
		loop("clock_gettime", "clock", n(10_000_000), 1),
		loop("getpid", "getpid", n(2_000_000), 0),
	)
	list = append(list, runtimes(filepath.Join(source, "..", "runtimes", "testdata"))...)
	for i := range list {
		if list[i].input != "" && !filepath.IsAbs(list[i].input) {
			list[i].input = filepath.Join(cache, list[i].input)
		}
		if list[i].image != "" {
			list[i].image = filepath.Join(cache, list[i].image)
		}
	}
	return list
}

// pythonThreads computes in four threads, which share the interpreter's lock.
const pythonThreads = `
import sys, threading
def work():
    x = 0
    for i in range(int(sys.argv[1])): x = (x * 31 + i) & 0xffff
ts = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
`

// runtimes are rows of compilers and servers, with the programs that
// test/runtimes runs. Both sides use the tools of the host image.
func runtimes(testdata string) []workload {
	row := func(name, dir, script string, target float64) workload {
		return workload{name: name, target: target, input: filepath.Join(testdata, dir), script: "export PATH=/usr/sbin:/usr/bin:/sbin:/bin; " + script}
	}
	return []workload{
		row("javac of 100 classes, jar, java", "javac", "sh run.sh", 1.1),
		row("go build, with the standard library", "go-run", fmt.Sprintf("export GOROOT='%s' GOCACHE=$PWD/cache; sh run.sh", goroot()), 1.1),
		row("cargo build of 6 crates, -j 4", "cargo", "export HOME=$PWD; sh run.sh", 1.1),
		row("PostgreSQL: initdb, pgbench, stop", "postgresql", "chmod 755 .; sh run.sh", 0),
	}
}

// goroot is where the go command's toolchain is.
func goroot() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "" // the row fails and says so
	}
	return strings.TrimSpace(string(out))
}

// makeSQLite makes the one file of all of SQLite out of its source.
func makeSQLite(ctx context.Context, cache string) error {
	to := filepath.Join(cache, "bench", "sqlite", "sqlite3.c")
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("/var/tmp", "dettrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyInto(filepath.Join(cache, "src", "sqlite"), dir); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	cmd := exec.CommandContext(ctx, "sh", "-ec", `sh ./configure --disable-tcl --disable-readline && make sqlite3.c && mv sqlite3.c "$0"`, to)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sqlite: %w: %s", err, lastLine(string(out)))
	}
	return nil
}

// makeFiles creates the archive of the untar rows: many small files in
// directories of a hundred.
func makeFiles(cache string, count int) error {
	dir := filepath.Join(cache, "bench", "files")
	stamp := filepath.Join(dir, fmt.Sprintf("count-%d", count))
	if _, err := os.Stat(stamp); err == nil {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeTar(filepath.Join(dir, "files.tar"), count); err != nil {
		return err
	}
	return os.WriteFile(stamp, nil, 0o644)
}
