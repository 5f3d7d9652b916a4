package real

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"time"

	"dettrace/test/lab"
)

// outcome is what one build left.
type outcome struct {
	Status         int
	Stdout, Stderr []byte
	Wall           time.Duration
	Files          tree   // native only
	Tar, Log       string // container only; Log is "" if there is none
	Report         lab.Observed
}

// limit is fatal for the test: no build here takes a tenth of it natively.
const limit = 15 * time.Minute

func collect(cmd *exec.Cmd) (outcome, error) {
	var o outcome
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	cmd.WaitDelay = limit
	start := time.Now()
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() }) // it may have ended just now
	err := cmd.Run()
	timer.Stop()
	o.Wall, o.Stdout, o.Stderr = time.Since(start), out.Bytes(), diag.Bytes()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		o.Status, err = exit.ExitCode(), nil
	}
	return o, err
}

// cpus are held while something is built on one: builds run in parallel, and
// each CPU has one at a time.
var cpus [2]sync.Mutex

// native builds without a container, in the host itself or, for an image, in
// a chroot over a throw-away overlay of it.
func native(b Build, h Host, cache string) (outcome, error) {
	cpus[h.CPU].Lock()
	defer cpus[h.CPU].Unlock()
	dir, undo, err := h.start(filepath.Join(cache, b.Source))
	if err != nil {
		return outcome{}, err
	}
	defer undo()
	var cmd *exec.Cmd
	if b.Image == "host" {
		in := filepath.Join(dir, "in")
		script := b.Script
		if b.Guest != "/build/src" { // the only absolute path a script may use
			script = "cd " + "'" + in + "'/../ && ln -s in repo && " + replaceGuest(script, dir)
		} else {
			script = "cd '" + in + "' && " + script
		}
		h.Env = append(h.Env, "HOME="+dir)
		cmd = h.command(dir, "sh", "-c", script)
	} else {
		h.User = 0 // chroot and mount need root
		cmd = h.command(dir, "unshare", "--mount", "--propagation", "private", "sh", "-ec", `
			image=$1 guest=$2 sub=$3 script=$4
			mkdir lay && mount -t tmpfs tmpfs lay && mkdir lay/up lay/work lay/root
			mount -t overlay overlay -o lowerdir="$image",upperdir=lay/up,workdir=lay/work lay/root
			mkdir -p "lay/root$guest" && mount --bind in "lay/root$guest"
			mount -t proc proc lay/root/proc
			for d in null zero urandom random tty full; do
				[ -e lay/root/dev/$d ] || : >lay/root/dev/$d
				mount --bind /dev/$d lay/root/dev/$d
			done
			export HOME=/root
			exec chroot lay/root sh -c "cd '$guest/$sub' && $script"`,
			"sh", filepath.Join(cache, b.Image), b.Guest, b.Sub, b.Script)
	}
	o, err := collect(cmd)
	if err != nil {
		return o, fmt.Errorf("native: %w", err)
	}
	o.Files, err = readTree(dir)
	return o, err
}

func replaceGuest(script, dir string) string {
	return string(bytes.ReplaceAll([]byte(script), []byte("file:///build"), []byte("'"+dir+"'")))
}

// contained builds under dettrace; keep is where its tar and log go. With a log
// every call stops: without one the fast paths answer most of them.
func contained(b Build, h Host, cache, dettrace, keep string, logged bool) (outcome, error) {
	cpus[h.CPU].Lock()
	defer cpus[h.CPU].Unlock()
	dir, undo, err := h.start(filepath.Join(cache, b.Source))
	if err != nil {
		return outcome{}, err
	}
	defer undo()
	if err := os.MkdirAll(keep, 0o777); err != nil {
		return outcome{}, err
	}
	if err := os.Chmod(keep, 0o777); err != nil { // the other user writes there
		return outcome{}, err
	}
	image := b.Image
	if image != "host" {
		image = filepath.Join(cache, image)
	}
	// Both runs save to one path, as the closing line on stderr names it.
	changes := filepath.Join(keep, "changes.tar")
	name := h.Name
	if !logged {
		name += "-fast"
	}
	saved, log, report := filepath.Join(keep, name+".tar"), filepath.Join(keep, name+".log"), filepath.Join(keep, name+".json")
	for _, f := range []string{changes, saved, log} {
		if err := os.RemoveAll(f); err != nil {
			return outcome{}, err
		}
	}
	argv := []string{dettrace, "run", "--image", image, "--no-default-input",
		"-i", filepath.Join(dir, "in") + ":" + b.Guest, "-w", path.Join(b.Guest, b.Sub),
		"--save", changes, "--report", report, "--force"}
	if logged {
		argv = append(argv, "--log", log)
	}
	o, err := collect(h.command(dir, append(argv, "--", "sh", "-c", b.Script)...))
	if err != nil {
		return o, fmt.Errorf("dettrace: %w", err)
	}
	o.Tar = saved
	if logged {
		o.Log = log
	}
	if o.Status != 0 {
		return o, nil // dettrace's own failures save nothing
	}
	data, err := os.ReadFile(report)
	if err != nil {
		return o, fmt.Errorf("dettrace: no report: %w", err)
	}
	if err := json.Unmarshal(data, &o.Report); err != nil {
		return o, fmt.Errorf("dettrace: report: %w", err)
	}
	return o, os.Rename(changes, saved)
}
