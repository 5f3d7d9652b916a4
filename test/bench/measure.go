package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cost is what one run took. CPU time is that of the whole tree.
type cost struct {
	Wall float64 `json:"wall_s"`
	CPU  float64 `json:"cpu_s"`
}

// A runner runs a workload one way.
type runner struct {
	name    string
	wrap    []string                  // before `sh -c SCRIPT`
	perRun  func(dir string) []string // more of it that depends on the run
	cpu     int
	scratch string
	micro   string
	limit   time.Duration
	// container: wrap ends with the flags of a dettrace run.
	container bool
}

// run copies the input, runs the script on the copy and takes the time of
// the command only.
func (r runner) run(ctx context.Context, w workload) (cost, error) {
	scratch := r.scratch
	if w.fs != "" {
		scratch = w.fs
	}
	dir, err := os.MkdirTemp(scratch, "dettrace-bench-")
	if err != nil {
		return cost{}, err
	}
	defer os.RemoveAll(dir)
	if w.input != "" {
		if err := copyInto(w.input, dir); err != nil {
			return cost{}, fmt.Errorf("%s: input: %w", w.name, err)
		}
	}
	program, err := os.ReadFile(r.micro)
	if err != nil {
		return cost{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "micro"), program, 0o755); err != nil {
		return cost{}, err
	}
	argv := append([]string{"taskset", "-c", fmt.Sprint(r.cpu)}, r.wrap...)
	if r.perRun != nil {
		argv = append(argv, r.perRun(dir)...)
	}
	argv = append(argv, r.in(w, dir)...)
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	var diag bytes.Buffer
	cmd.Stderr = &diag
	cmd.WaitDelay = 10 * time.Second
	meter := newMeter()
	defer meter.close()
	meter.attach(cmd)
	before := meter.seconds()
	start := time.Now()
	err = cmd.Run()
	c := cost{Wall: time.Since(start).Seconds(), CPU: meter.seconds() - before}
	if err != nil {
		return c, fmt.Errorf("%s: %s: %w: %s", r.name, w.name, err, lastLine(diag.String()))
	}
	return c, nil
}

// in is the command of w in a copy of its input.
func (r runner) in(w workload, dir string) []string {
	switch {
	case w.image == "":
		if r.container {
			return []string{"--", "sh", "-c", w.script}
		}
		return []string{"sh", "-c", w.script}
	case r.container:
		return []string{"--image", w.image, "--no-default-input", "-i", dir + ":/build", "-w", "/build", "--", "sh", "-c", w.script}
	}
	// In a chroot, over a throw-away overlay of the image.
	return []string{"unshare", "--mount", "--propagation", "private", "sh", "-ec", `
		mkdir "$2.lay" && trap 'rmdir "$2.lay"' EXIT
		mount -t tmpfs tmpfs "$2.lay" && cd "$2.lay" && mkdir up work root
		mount -t overlay overlay -o lowerdir="$1",upperdir=up,workdir=work root
		mkdir -p root/build && mount --bind "$2" root/build
		mount -t proc proc root/proc
		for d in null zero urandom random tty full; do
			[ -e root/dev/$d ] || : >root/dev/$d
			mount --bind /dev/$d root/dev/$d
		done
		s=0; HOME=/root chroot root sh -c "cd /build && $3" || s=$?
		cd / && umount -R "$2.lay"; exit $s`, "sh", w.image, dir, w.script}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// spread is a median with its extremes.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return spread{mid, v[0], v[len(v)-1]}
}
