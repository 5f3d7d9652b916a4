package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// unpacked makes the tree of a package, prepared, in the cache; a tree that is
// there already is used.
func (o *options) unpacked(ctx context.Context, p *pkg) (string, error) {
	dir := filepath.Join(o.cache, "score", p.name)
	stamp := []byte(p.sha256 + "\n" + p.prepare + "\n")
	if b, err := os.ReadFile(dir + ".done"); err == nil && bytes.Equal(b, stamp) {
		return dir, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return "", err
	}
	source := filepath.Join(o.cache, "dsc", p.source)
	// A .dsc has the digests of the rest, which dpkg-source checks before it applies Debian's patches.
	script := `set -e
cd "$1"
f=$4
case $f in *.dsc) f=$4.d/${4##*/} ;; esac
echo "$5  $f" | sha256sum --check --status || { echo "$f: not the file of the table" >&2; exit 1; }
case $f in
*.dsc) rmdir "$2" && dpkg-source --require-strong-checksums -x "$f" "$2" ;;
*) tar -xf "$f" --strip-components=1 --no-same-owner -C "$2" ;;
esac
cd "$2"
eval "$3"`
	c := exec.CommandContext(ctx, "sh", o.dir+"/fetch.sh", o.cache, p.name, p.source)
	if err := quiet(c); err != nil {
		return "", err
	}
	c = exec.CommandContext(ctx, "sh", "-c", script, "sh", o.dir, dir, p.prepare, source, p.sha256)
	c.Env = natural("/root")
	if err := quiet(c); err != nil {
		return "", err
	}
	return dir, os.WriteFile(dir+".done", stamp, 0o644)
}

func natural(home string) []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "LANG=C.UTF-8"}
}

// quiet runs a command, whose output is part of the error.
func quiet(c *exec.Cmd) error {
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", c.Path, err, out[max(0, len(out)-2000):])
	}
	return nil
}

// other builds as another machine would do it: another host name, kernel
// release and day, as reprotest does.
const other = `find . -exec touch -h -d 2011-11-11 {} +
umask 002
hostname other-host
exec setarch --uname-2.6 env NO_FAKE_STAT=1 faketime -f "$FAR" sh -c "$1"`

// native builds twice without dettrace, as two machines would, and returns which
// results differ. Root only, as the host name of a namespace is set.
func native(ctx context.Context, p *pkg, tree, tmp string) ([]string, error) {
	one, two := filepath.Join(tmp, "one"), filepath.Join(tmp, "another", "place")
	if err := os.MkdirAll(filepath.Dir(two), 0o755); err != nil {
		return nil, err
	}
	for _, dir := range []string{one, two} {
		if err := quiet(exec.CommandContext(ctx, "cp", "-a", tree, dir)); err != nil {
			return nil, err
		}
	}
	a := exec.CommandContext(ctx, "sh", "-c", p.build)
	a.Dir, a.Env = one, natural("/root")
	b := exec.CommandContext(ctx, "unshare", "--uts", "sh", "-c", other, "sh", p.build)
	b.Dir = two
	b.Env = append(natural("/home/other"), "USER=other", "LOGNAME=other", "TZ=GMT+12", "LC_ALL=C", "FAR=+400d", "EXTRA="+strings.Repeat("x", 700))
	b.Env[0] += ":/other"
	if err := errors.Join(quiet(a), quiet(b)); err != nil {
		return nil, err
	}
	x, err := results(one, p.only)
	if err != nil {
		return nil, err
	}
	y, err := results(two, p.only)
	if err != nil {
		return nil, err
	}
	if len(x) == 0 {
		return nil, fmt.Errorf("no result among %q", p.only)
	}
	var out []string
	for name, content := range x {
		if y[name] != content {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// results are the files that match globs, or are in directories that do.
func results(dir string, globs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, g := range globs {
		tops, err := filepath.Glob(filepath.Join(dir, g))
		if err != nil {
			return nil, err
		}
		for _, top := range tops {
			err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				b, err := os.ReadFile(path)
				out[strings.TrimPrefix(path, dir)] = string(b)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
