// Package cache tests dettrace run --cache from outside: that a stored result
// is given exactly when nothing the run had read has changed, that it equals a
// real run's, and that neither neighbours, kills nor damage lead astray.
package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"dettrace/test/lab"
)

var l lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &l)) }

// script looks at the tree in every way.
const script = `
cat read 2>&1
ls -1 dir 2>&1
test -e maybe && echo maybe is there
readlink link
stat -c '%A %s' looked 2>&1
cat deep/er/file 2>&1
cat link 2>/dev/null
mkdir out
cp -r dir out/
cat read >out/copy 2>/dev/null
echo to stderr >&2
exit 0
`

func cached(dir, cache string, args ...string) *exec.Cmd {
	c := exec.Command(l.Kit.Dettrace, append([]string{"run", "--cache", "--cache-dir", cache, "--explain-miss", "--force"}, args...)...)
	c.Dir = dir
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tree(t *testing.T, dir string) {
	for name, content := range map[string]string{
		"read": "r\n", "looked": "l\n", "unread": "u\n", "dir/a": "a\n", "dir/b": "b\n", "deep/er/file": "f\n", "other/x": "x\n",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	must(t, os.Symlink("read", filepath.Join(dir, "link")))
}

// view is all that the script can learn of the tree, written down without
// dettrace. Two trees with one view must give a hit, others must not.
func view(dir string) string {
	var b strings.Builder
	at := func(p string) string { return filepath.Join(dir, p) }
	stat := func(p string) {
		if info, err := os.Lstat(at(p)); err != nil {
			fmt.Fprintf(&b, "%s missing\n", p)
		} else {
			size := info.Size()
			if info.IsDir() {
				size = 0
			}
			fmt.Fprintf(&b, "%s %v %d\n", p, info.Mode(), size)
		}
	}
	content := func(p string) {
		stat(p)
		if c, err := os.ReadFile(at(p)); err == nil {
			fmt.Fprintf(&b, "%s = %q\n", p, c)
		}
	}
	stat(".")
	content("read")
	stat("dir")
	list, _ := os.ReadDir(at("dir"))
	for _, e := range list {
		content("dir/" + e.Name())
	}
	stat("maybe")
	stat("looked")
	for _, p := range []string{"deep", "deep/er"} {
		stat(p)
	}
	content("deep/er/file")
	if target, err := os.Readlink(at("link")); err == nil {
		fmt.Fprintf(&b, "link -> %s\n", target)
		content(target)
	} else {
		stat("link")
	}
	return b.String()
}

// edit changes something by chance, in nine of ten cases something small.
func edit(t *testing.T, r *rand.Rand, dir string) string {
	at := func(p string) string { return filepath.Join(dir, p) }
	files := []string{"read", "looked", "unread", "dir/a", "dir/b", "deep/er/file", "other/x"}
	f := files[r.IntN(len(files))]
	what := ""
	var err error
	switch r.IntN(9) {
	case 0:
		what = "content of " + f
		err = os.WriteFile(at(f), fmt.Appendf(nil, "%d\n", r.IntN(3)), 0o644)
	case 1:
		what = "mode of " + f
		err = os.Chmod(at(f), []os.FileMode{0o644, 0o600, 0o755}[r.IntN(3)])
	case 2:
		what = "time of " + f
		err = os.Chtimes(at(f), time.Unix(r.Int64N(1e9), 0), time.Unix(r.Int64N(1e9), 0))
	case 3:
		p := []string{"maybe", "dir/new", "other/new", "deep/new"}[r.IntN(4)]
		what = "add or remove " + p
		if os.Remove(at(p)) != nil {
			err = os.WriteFile(at(p), []byte("n\n"), 0o644)
		}
	case 4:
		what = "remove or restore " + f
		if os.Remove(at(f)) != nil {
			err = os.WriteFile(at(f), []byte("back\n"), 0o644)
		}
	case 5:
		what = "rename " + f
		if err = os.Rename(at(f), at(f+".moved")); err != nil {
			err = os.Rename(at(f+".moved"), at(f))
		}
	case 6:
		target := []string{"read", "looked", "nowhere"}[r.IntN(3)]
		what = "link to " + target
		_ = os.Remove(at("link"))
		err = os.Symlink(target, at("link"))
	case 7:
		what = "write the same to " + f
		if c, readErr := os.ReadFile(at(f)); readErr == nil {
			must(t, os.Remove(at(f)))
			err = os.WriteFile(at(f), c, 0o644)
		}
	case 8:
		what = "mode of a directory"
		err = os.Chmod(at([]string{"dir", "deep/er", "other"}[r.IntN(3)]), []os.FileMode{0o755, 0o750}[r.IntN(2)])
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return what
}

// TestSoundAndComplete edits at random and asks the oracle each time.
func TestSoundAndComplete(t *testing.T) {
	steps := 25
	if testing.Short() {
		steps = 10
	}
	top := t.TempDir()
	dir, cache := filepath.Join(top, "tree"), filepath.Join(top, "cache")
	tree(t, dir)
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	hits := 0
	for i := range steps {
		what := "nothing"
		if i > 0 {
			what = edit(t, r, dir)
		}
		now := view(dir)
		tar1, tar2 := filepath.Join(top, "1.tar"), filepath.Join(top, "2.tar")
		a := lab.Do(t, cached(dir, cache, "--save", tar1, "--", "sh", "-c", script))
		hit := strings.Contains(a.Stderr, "dettrace: cache hit")
		if hit != seen[now] {
			t.Fatalf("step %d (%s): hit %v, the oracle says %v\n%s\n%s", i, what, hit, seen[now], a.Stderr, now)
		}
		seen[now] = true
		if !hit {
			continue
		}
		hits++
		real := exec.Command(l.Kit.Dettrace, "run", "--force", "--save", tar2, "--", "sh", "-c", script)
		real.Dir = dir
		b := lab.Do(t, real)
		a.Stderr = noCache(a.Stderr)
		a.Stderr = strings.ReplaceAll(a.Stderr, "1.tar", "2.tar")
		if a.Stdout != b.Stdout || a.Stderr != b.Stderr || a.Status != b.Status || !bytes.Equal(file(t, tar1), file(t, tar2)) {
			t.Fatalf("step %d (%s): the stored result is not the real one:\n%+v\n%+v", i, what, a, b)
		}
	}
	if hits < steps/4 || hits > steps*9/10 {
		t.Errorf("%d hits in %d steps: the test proves little", hits, steps)
	}
}

// noCache leaves the lines about the cache out.
func noCache(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "dettrace: cache ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func file(t *testing.T, p string) []byte {
	t.Helper()
	b, err := os.ReadFile(p)
	must(t, err)
	return b
}

func isHit(r lab.Result) bool { return strings.Contains(r.Stderr, "dettrace: cache hit") }

// Several processes at once, of the same and of other commands, all get right
// results, and what they stored is whole.
func TestConcurrent(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	tree(t, dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			want := fmt.Sprint(i % 2)
			// A limit below what is stored: some prune while others read.
			r := lab.Do(t, cached(dir, cache, "--cache-size", "6000", "-o", "o:"+fmt.Sprintf("out%d", i), "--", "sh", "-c", "cat read; echo "+want+" | tee o"))
			if r.Status != 0 || r.Stdout != "r\n"+want+"\n" {
				t.Errorf("%+v", r)
			}
			if b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out%d", i))); err != nil || string(b) != want+"\n" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	wg.Wait()
	whole(t, cache)
}

// whole wants nothing damaged.
func whole(t *testing.T, cache string) {
	t.Helper()
	r := lab.Do(t, exec.Command(l.Kit.Dettrace, "cache", "verify", "--json", "--cache-dir", cache))
	if r.Status != 0 || !strings.Contains(r.Stdout, `"damaged": []`) {
		t.Errorf("%+v", r)
	}
}

// SIGKILL at any moment leaves a cache that gives right results, and what was
// being written is removed later.
func TestKill(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	tree(t, dir)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 12 {
		c := cached(dir, cache, "-o", "o:o"+fmt.Sprint(i), "--", "sh", "-c", fmt.Sprintf("cat read; echo %d; head -c 300000 /dev/zero >o", i%3))
		must(t, c.Start())
		time.Sleep(time.Duration(r.IntN(250)) * time.Millisecond) // which moment it is decides nothing
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	for i := range 3 {
		for range 2 {
			res := lab.Do(t, cached(dir, cache, "-o", "o:o", "--", "sh", "-c", fmt.Sprintf("cat read; echo %d; head -c 300000 /dev/zero >o", i)))
			if res.Status != 0 || res.Stdout != fmt.Sprintf("r\n%d\n", i) || len(file(t, filepath.Join(dir, "o"))) != 300000 {
				t.Fatalf("%+v", res)
			}
		}
	}
	whole(t, cache)
	res := lab.Do(t, exec.Command(l.Kit.Dettrace, "cache", "prune", "--cache-dir", cache))
	left, err := os.ReadDir(filepath.Join(cache, "tmp"))
	if res.Status != 0 || err != nil || len(left) != 0 {
		t.Errorf("left in tmp: %v, %v %+v", left, err, res)
	}
}

// A damaged byte anywhere is noticed: the run is made again, with the same
// result.
func TestDamage(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	tree(t, dir)
	do := func() lab.Result {
		return lab.Do(t, cached(dir, cache, "-o", "out:"+filepath.Join(t.TempDir(), "out"), "--", "sh", "-c", script))
	}
	do()
	first := do()
	if !isHit(first) {
		t.Fatalf("%+v", first)
	}
	var files []string
	must(t, filepath.Walk(cache, func(p string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && info.Size() > 0 && !strings.HasSuffix(p, "CACHEDIR.TAG") && filepath.Base(p) != "digests" {
			files = append(files, p)
		}
		return err
	}))
	sort.Strings(files)
	if len(files) < 4 {
		t.Fatalf("%q", files)
	}
	for _, f := range files {
		b := file(t, f)
		b[len(b)/2] ^= 1
		must(t, os.Chmod(f, 0o600))
		must(t, os.WriteFile(f, b, 0o600))
		r := do()
		if isHit(r) || r.Status != 0 || r.Stdout != first.Stdout || noCache(r.Stderr) != noCache(first.Stderr) {
			t.Errorf("%s damaged: %+v", f, r)
		}
		if r := do(); !isHit(r) || r.Stdout != first.Stdout {
			t.Errorf("%s: not mended: %+v", f, r)
		}
	}
}
