package probes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Perturbations is how many perturbed runs there are: 1 keeps the user,
// 2 is another user where root can become one.
const Perturbations = 2

type perturbed struct {
	argv, env []string
	dir       string
}

// perturb wraps argv so that it runs on a host that differs in all the ways
// the catalogue names and that can be had here: user, CPU, load, nice level,
// umask, limits, environment, locale, time zone, directory, host name, out
// of memory score, free memory. undo ends what it started.
func (r *Runner) perturb(kind int, argv, env []string) (perturbed, func(), error) {
	undo := func() {}
	if kind == 0 {
		return perturbed{argv, env, r.Tmp}, undo, nil
	}
	dir, err := os.MkdirTemp("", "perturbed dir ")
	if err != nil {
		return perturbed{}, undo, fmt.Errorf("perturb: %w", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return perturbed{}, undo, fmt.Errorf("perturb: %w", err)
	}
	spin := exec.Command("taskset", "-c", fmt.Sprint(kind%2), filepath.Join(r.Kit.Dir, "xs"), "load")
	spin.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := spin.Start(); err != nil {
		os.RemoveAll(dir)
		return perturbed{}, undo, fmt.Errorf("perturb: load: %w", err)
	}
	undo = func() {
		spin.Process.Kill()
		spin.Wait()
		os.RemoveAll(dir)
	}
	env = append(strip(env, "TZ", "LANG", "LC_ALL", "HOME", "TERM"), "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8",
		"LC_ALL=tr_TR.UTF-8", "TERM=vt52", "COLUMNS=43", "LINES=11", "HOME="+dir, "PERTURBED="+strings.Repeat("y", 333*kind),
		"MALLOC_PERTURB_=77", "PYTHONHASHSEED=random")
	shell := fmt.Sprintf("umask 0%d7; ulimit -S -n 512; ulimit -S -s 4096; echo 300 > /proc/self/oom_score_adj; ", kind+2)
	if r.User != 0 {
		shell = fmt.Sprintf("hostname perturbed%d; ", kind) + shell
	}
	shell += `exec "$@"`
	out := []string{"sh", "-c", shell, "sh", "taskset", "-c", fmt.Sprint(kind % 2), "nice", "-n", "5", "ionice", "-c", "3"}
	if kind == 2 && r.User != 0 {
		out = append(out, "setpriv", "--reuid", fmt.Sprint(r.User), "--regid", fmt.Sprint(r.User), "--clear-groups")
	}
	if r.User != 0 {
		out = append([]string{"unshare", "--uts"}, out...)
	}
	return perturbed{append(out, argv...), env, dir}, undo, nil
}

// strip removes variables from an environment.
func strip(env []string, names ...string) []string {
	var out []string
next:
	for _, kv := range env {
		for _, n := range names {
			if strings.HasPrefix(kv, n+"=") {
				continue next
			}
		}
		out = append(out, kv)
	}
	return out
}

// copyKit copies the kit to another file system if there is one, its files
// made in another order, so that host inodes and directory order differ.
func copyKit(kit string) (string, func(), error) {
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "kit")
	if err != nil {
		return "", func() {}, fmt.Errorf("copy kit: %w", err)
	}
	undo := func() { os.RemoveAll(dir) }
	names, err := os.ReadDir(kit)
	if err != nil {
		undo()
		return "", func() {}, fmt.Errorf("copy kit: %w", err)
	}
	for i := len(names) - 1; i >= 0; i-- {
		data, err := os.ReadFile(filepath.Join(kit, names[i].Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, names[i].Name()), data, 0o755)
		}
		if err != nil {
			undo()
			return "", func() {}, fmt.Errorf("copy kit: %w", err)
		}
	}
	return dir, undo, os.Chmod(dir, 0o755)
}
