package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memoryCase is a run whose peak memory is of interest.
type memoryCase struct {
	name string
	argv []string // after "dettrace run"
	dir  string
}

// peak runs the case and follows VmHWM of the supervisor and of its file
// system server. The kernel keeps the high-water mark, so polling loses only
// what grows between the last look and the exit.
func peak(ctx context.Context, dettrace string, c memoryCase, limit time.Duration) MemoryRow {
	row := MemoryRow{Name: c.name, PeakK: map[string]int64{}}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, dettrace, append([]string{"run"}, c.argv...)...)
	cmd.Dir = c.dir
	cmd.WaitDelay = 10 * time.Second
	var diag bytes.Buffer
	cmd.Stderr = &diag
	start := time.Now()
	if err := cmd.Start(); err != nil {
		row.Error = err.Error()
		return row
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				note(row.PeakK, "supervisor", highWater(cmd.Process.Pid))
				for _, child := range children(cmd.Process.Pid) {
					if isServer(child) {
						note(row.PeakK, "file system", highWater(child))
					}
				}
			}
		}
	}()
	err := cmd.Wait()
	row.Wall = time.Since(start).Seconds()
	close(stop)
	<-stopped
	if err != nil {
		row.Error = fmt.Sprintf("%v: %s", err, lastLine(diag.String()))
	}
	return row
}

func note(m map[string]int64, name string, kb int64) { m[name] = max(m[name], kb) }

// highWater is VmHWM in KB, 0 when the process is gone.
func highWater(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kb
		}
	}
	return 0
}

// children lists the children of all threads of a process.
func children(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var out []int
	for _, l := range lists {
		data, err := os.ReadFile(l)
		if err != nil {
			continue // the thread ended
		}
		for f := range strings.FieldsSeq(string(data)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// isServer says whether the process is the file system server, which the
// supervisor starts under a hidden subcommand.
func isServer(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(data, []byte("\x00__detfs"))
}

// memoryRows runs the memory cases: images of several sizes that are not
// touched, and an output larger than the memory limit.
func memoryRows(ctx context.Context, cache, dettrace, micro string, images []int, outputMB int, memory string) ([]MemoryRow, error) {
	const limit = 20 * time.Minute
	var rows []MemoryRow
	for _, count := range images {
		dir := filepath.Join(cache, "bench", fmt.Sprintf("image-%d", count))
		if err := makeImage(dir, micro, count); err != nil {
			return rows, fmt.Errorf("image of %d files: %w", count, err)
		}
		rows = append(rows, peak(ctx, dettrace, memoryCase{
			name: fmt.Sprintf("%d files in the image, none touched", count),
			argv: []string{"--image", dir, "--no-default-input", "-w", "/", "--", "/bin/micro", "getpid", "2000"},
			dir:  cache,
		}, limit))
	}
	if outputMB > 0 {
		dir, err := os.MkdirTemp("/var/tmp", "dettrace-bench-")
		if err != nil {
			return rows, err
		}
		program, err := os.ReadFile(micro)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "micro"), program, 0o755)
		}
		if err != nil {
			return rows, errors.Join(err, os.RemoveAll(dir))
		}
		rows = append(rows, peak(ctx, dettrace, memoryCase{
			name: fmt.Sprintf("%d MB of output under a memory limit of %s", outputMB, memory),
			argv: []string{"--memory", memory, "--", "./micro", "output", strconv.Itoa(outputMB)},
			dir:  dir,
		}, limit))
		if err := os.RemoveAll(dir); err != nil {
			return rows, err
		}
	}
	return rows, nil
}
