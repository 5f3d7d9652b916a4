package runtimes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// toolchain is what the Go workloads get as inputs: the toolchain itself,
// which need not be in the host image, this repository, its modules, and a
// cache of the compiled parts of the standard library, made once and natively.
type toolchain struct {
	flags []string
	err   error
}

func prepareGo(tmp string) toolchain {
	get := func(name string) string {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	root, modules := get("GOROOT"), get("GOMODCACHE")
	if root == "" || modules == "" {
		return toolchain{err: fmt.Errorf("go env: no GOROOT or GOMODCACHE")}
	}
	cache, repo := filepath.Join(tmp, "gocache"), filepath.Join(tmp, "repo")
	// Of the standard library only what is used: all of it takes minutes.
	std, err := exec.Command("go", "list", "-deps", "-test", "-f", "{{if .Standard}}{{if not .ForTest}}{{.ImportPath}}{{end}}{{end}}",
		"dettrace/cmd/dettrace", "dettrace/internal/fuse", "dettrace/internal/sched").Output()
	if err != nil {
		return toolchain{err: fmt.Errorf("go list: %w", err)}
	}
	race := []string{"-race", "testing", "sync", "testing/internal/testdeps"}
	for cgo, args := range [][]string{strings.Fields(string(std)), race} {
		c := exec.Command("go", append([]string{"build"}, args...)...)
		c.Env = append(os.Environ(), "GOCACHE="+cache, fmt.Sprint("CGO_ENABLED=", cgo), "GOFLAGS=-trimpath", "GOTOOLCHAIN=local", "GOROOT="+root)
		if out, err := c.CombinedOutput(); err != nil {
			return toolchain{err: fmt.Errorf("go build std: %w\n%s", err, out)}
		}
	}
	if err := copyModule(filepath.Join("..", ".."), repo); err != nil {
		return toolchain{err: err}
	}
	return toolchain{flags: []string{
		"-e", "GOROOT=" + guestRoot, "-i", root + ":" + guestRoot, "-i", modules + ":/gomod", "-i", cache + ":/gocache", "-i", repo + ":/build/src/repo",
	}}
}

// guestRoot: with -trimpath what is compiled does not name it.
const guestRoot = "/usr/local/go"

// copyModule copies the module without its history and what is built.
func copyModule(from, to string) error {
	for _, name := range []string{"go.mod", "go.sum", "cmd", "internal"} {
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if out, err := exec.Command("cp", "-R", filepath.Join(from, name), to).CombinedOutput(); err != nil {
			return fmt.Errorf("copy %s: %w\n%s", name, err, out)
		}
	}
	return nil
}
