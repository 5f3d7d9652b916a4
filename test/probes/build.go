package probes

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed c
var sources embed.FS

// Kit is a directory with everything a container needs to run probes. It is
// given to containers as an input.
type Kit struct {
	Dir      string // host directory: x, xs, gox
	Dettrace string // the binary under test
}

// Build compiles the probes and, when dettrace is empty, the binary under
// test from the module that holds dir.
func Build(tmp, module, dettrace string) (*Kit, error) {
	k := &Kit{Dir: filepath.Join(tmp, "kit"), Dettrace: dettrace}
	src := filepath.Join(tmp, "src")
	if err := os.CopyFS(src, must(fs.Sub(sources, "c"))); err != nil {
		return nil, fmt.Errorf("build probes: %w", err)
	}
	if err := os.MkdirAll(k.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("build probes: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(src, "*.c"))
	if err != nil {
		return nil, fmt.Errorf("build probes: %w", err)
	}
	cc := append([]string{"-O1", "-w", "-D_GNU_SOURCE", "-pthread", "-ffile-prefix-map=" + src + "/=", "-o", filepath.Join(k.Dir, "x")}, files...)
	if err := command(src, "gcc", append(cc, "-lrt")...); err != nil {
		return nil, err
	}
	cc[6] = filepath.Join(k.Dir, "xs")
	if err := command(src, "gcc", append(cc, "-static", "-lrt")...); err != nil {
		return nil, err
	}
	if err := command(module, "go", "build", "-o", filepath.Join(k.Dir, "gox"), "./test/probes/goprobe"); err != nil {
		return nil, err
	}
	if k.Dettrace == "" {
		k.Dettrace = filepath.Join(tmp, "dettrace")
		if err := command(module, "go", "build", "-o", k.Dettrace, "./cmd/dettrace"); err != nil {
			return nil, err
		}
	}
	// Another user must be able to reach all of it.
	for _, d := range []string{tmp, k.Dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			return nil, fmt.Errorf("build probes: %w", err)
		}
	}
	return k, nil
}

// must unwraps results that only a broken embedding can make fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func command(dir, name string, arg ...string) error {
	c := exec.Command(name, arg...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
