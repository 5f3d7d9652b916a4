package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// A workload is one row of the table.
type workload struct {
	name   string
	target float64 // ratio to reach, 0: none stated
	input  string  // a directory copied for each run, "" for an empty one
	fs     string  // directory of the native run, "" for the scratch default
	script string  // run by sh in the copy
}

// scale shrinks the rows that are long or large.
type scale struct {
	seqMB, files, spawns int
	micro                float64
}

// workloads lists the rows of issue and catalogue. micro is the path of the
// compiled loops as both sides see it: in the run's own directory.
func workloads(cache string, s scale) []workload {
	n := func(base int) int { return max(1, int(float64(base)*s.micro)) }
	loop := func(row, name string, count int, target float64) workload {
		return workload{name: row, target: target, script: fmt.Sprintf("./micro %s %d", name, count)}
	}
	list := []workload{
		{name: "start-up of true", script: "exec /bin/true"},
		{name: "compile Lua -O2, one job", target: 1.25, input: "src/lua", script: "make posix >/dev/null 2>&1"},
		{name: "configure GNU hello", target: 1.9, input: "src/hello", script: "./configure >/dev/null 2>&1"},
		{name: fmt.Sprintf("%d spawns of /bin/true", s.spawns), target: 2.5, script: fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", s.spawns)},
	}
	untar := fmt.Sprintf("tar -xf files.tar && rm -rf files # %d", s.files)
	list = append(list,
		workload{name: fmt.Sprintf("untar, rm -rf of %d files (native ext4)", s.files), input: "bench/files", fs: "/var/tmp", script: untar},
		workload{name: fmt.Sprintf("untar, rm -rf of %d files (native tmpfs)", s.files), input: "bench/files", fs: "/dev/shm", script: untar},
		loop(fmt.Sprintf("%d MB sequential write and read", s.seqMB), "seq", s.seqMB, 2),
		loop("CPU loop", "cpu", n(1_000_000), 1.01),
		loop("stat", "stat", n(100_000), 0),
		loop("open+close", "open", n(50_000), 0),
		loop("fstat", "fstat", n(100_000), 0),
		loop("read 4 KB", "read", n(100_000), 0),
		loop("1-byte pipe ping-pong", "pipe", n(20_000), 0),
		loop("1-byte loopback TCP echo", "tcp", n(20_000), 0),
		loop("clock_gettime", "clock", n(100_000), 0),
		loop("getpid", "getpid", n(100_000), 0),
	)
	for i := range list {
		if list[i].input != "" {
			list[i].input = filepath.Join(cache, list[i].input)
		}
	}
	return list
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
