package real

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"dettrace/test/lab"
)

// A Host is one way this machine can be when a build starts. Everything in
// it may change a native build and nothing in it may change a contained one.
type Host struct {
	Name    string
	CPU     int
	Load    bool   // a second process wants the same CPU
	Umask   string // octal
	User    int    // 0: stay who we are
	Scratch string // where the source is copied to: which file system, which path
	Reverse bool   // the copy is made in reverse order: other inodes and directory order
	Env     []string
}

// Hosts returns two hosts that differ in all that can be had here. cpu, 0 or 1,
// is the first one's, other is the user id of the second one, 0 for the same
// user.
func Hosts(cpu, other int) [2]Host {
	return [2]Host{
		{
			Name: "plain", CPU: cpu, Umask: "022", Scratch: "/var/tmp",
			Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root", "TZ=UTC", "LANG=C.UTF-8"},
		},
		{
			Name: "perturbed", CPU: 1 - cpu, Load: true, Umask: "007", Scratch: "/dev/shm", Reverse: true, User: other,
			Env: []string{
				"PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin", "HOME=/tmp", "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8",
				"TERM=vt52", "USER=someone", "MALLOC_PERTURB_=77", "PERTURBED=" + strings.Repeat("y", 777),
			},
		},
	}
}

// start readies the host: a directory that holds a copy of src and is the
// working directory, and the load. The copy belongs to the host's user.
func (h Host) start(src string) (dir string, undo func(), err error) {
	dir, err = os.MkdirTemp(h.Scratch, "dettrace-"+h.Name+"-")
	if err != nil {
		return "", nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	remove := func() { os.RemoveAll(dir) }
	if err := copyTree(src, filepath.Join(dir, "in"), h.Reverse); err != nil {
		remove()
		return "", nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	if h.User != 0 {
		if err := chownTree(dir, h.User); err != nil {
			remove()
			return "", nil, fmt.Errorf("host %s: %w", h.Name, err)
		}
	}
	if !h.Load {
		return dir, remove, nil
	}
	// It gets a quarter of the CPU: builds take minutes.
	end, err := lab.Load(1, fmt.Sprint(h.CPU), 5)
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	return dir, func() {
		end()
		remove()
	}, nil
}

// command wraps argv so that it runs on the host, in dir.
func (h Host) command(dir string, argv ...string) *exec.Cmd {
	full := []string{"taskset", "-c", fmt.Sprint(h.CPU)}
	if h.User != 0 {
		id := fmt.Sprint(h.User)
		full = append(full, "setpriv", "--reuid", id, "--regid", id, "--clear-groups")
	}
	full = append(full, "sh", "-c", "umask "+h.Umask+`; exec "$@"`, "sh")
	cmd := exec.Command(full[0], append(full[1:], argv...)...)
	cmd.Dir = dir
	cmd.Env = h.Env
	return cmd
}

// copyTree copies files, directories and symlinks with their modes and times:
// generated files must stay newer than what they come from.
func copyTree(from, to string, reverse bool) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case fs.ModeDir:
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		if reverse {
			slices.Reverse(entries)
		}
		for _, e := range entries {
			if err := copyTree(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), reverse); err != nil {
				return err
			}
		}
	default:
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			return err
		}
	}
	if err := os.Chmod(to, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func chownTree(dir string, id int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	})
}
