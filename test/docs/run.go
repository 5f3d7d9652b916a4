package docs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dettrace/test/lab"
)

// limit is the wall time that one block may take.
const limit = 2 * time.Minute

// Runner runs blocks.
type Runner struct {
	Root     string // of the repository
	Dettrace string // directory of the binary
	Tree     string // directory of a Debian image for blocks that need one, or ""
}

// Section runs the blocks of a section in one directory. Those that need what
// the runner does not have are not for it.
func (r Runner) Section(t *testing.T, blocks []Block) {
	top := t.TempDir()
	p := place{r: r, home: filepath.Join(top, "home"), dir: filepath.Join(top, "projects", "hello")}
	if err := p.make(); err != nil {
		t.Fatal(err)
	}
	last, lastOut := -1, ""
	for i, b := range blocks {
		switch {
		case b.Output && last == i-1:
			if want := missing(b.Text, lastOut); want != "" {
				t.Errorf("%s:%d: not printed: %s\nbut\n%s", b.File, b.Line, want, lastOut)
			}
			last = i
		case b.Script() && b.Real == (r.Tree != ""):
			out, err := p.run(t, b)
			if err != nil {
				t.Fatalf("%s:%d: %v\n%s\n%s", b.File, b.Line, err, b.Text, out)
			}
			last, lastOut = i, out
		}
	}
}

// place is where the blocks of a section run.
type place struct {
	r         Runner
	home, dir string
}

// make fills the directories.
func (p place) make() error {
	from := os.DirFS(filepath.Join(p.r.Root, "test", "docs", "testdata", "project"))
	for _, d := range []string{p.dir, filepath.Join(p.dir, "hello-2.10")} {
		if err := os.CopyFS(d, from); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(d, "debian", "rules"), 0o755); err != nil {
			return err
		}
	}
	if p.r.Tree != "" {
		if err := os.Symlink(p.r.Tree, filepath.Join(p.dir, "trixie")); err != nil {
			return err
		}
	}
	return os.MkdirAll(p.home, 0o755)
}

// environ is what the scripts find.
func (p place) environ(b Block) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "HOME" && !b.Repo, name == "PATH", name == "SOURCE_DATE_EPOCH",
			strings.HasPrefix(name, "XDG_"), strings.HasPrefix(name, "DETTRACE"):
		default:
			env = append(env, kv)
		}
	}
	if !b.Repo {
		env = append(env, "HOME="+p.home)
	}
	return append(env, "PATH="+p.r.Dettrace+":"+os.Getenv("PATH"), "TOKEN=a-secret-of-the-test")
}

// run runs a block and gives its output.
func (p place) run(t *testing.T, b Block) (string, error) {
	for _, name := range b.Images {
		if err := p.image(t, b, name); err != nil {
			return "", err
		}
	}
	for _, command := range b.After {
		if r := lab.DoWithin(t, p.shell(b, command), limit); r.Status != 0 {
			return r.Stdout + r.Stderr, fmt.Errorf("%s: status %d", command, r.Status)
		}
	}
	r := lab.DoWithin(t, p.shell(b, b.Text), limit)
	t.Logf("%s:%d: %.1f s", b.File, b.Line, r.Wall.Seconds())
	if r.Status != b.Exits {
		return r.Stdout + r.Stderr, fmt.Errorf("status %d, want %d", r.Status, b.Exits)
	}
	return r.Stdout + r.Stderr, nil
}

func (p place) shell(b Block, script string) *exec.Cmd {
	c := exec.Command("sh", "-e", "-c", script)
	c.Env, c.Dir = p.environ(b), p.dir
	if b.Repo {
		c.Dir = p.r.Root
	}
	return c
}

// image puts an image of busybox into the store.
func (p place) image(t *testing.T, b Block, name string) error {
	dir := filepath.Join(p.home, "busybox")
	err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755)
	if err != nil {
		return err
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return errors.Join(err, errors.New("package busybox-static is missing"))
	}
	var list bytes.Buffer
	applets := exec.Command("/bin/busybox", "--list")
	applets.Stdout = &list
	if err := errors.Join(applets.Run(), os.WriteFile(filepath.Join(dir, "bin", "busybox"), busybox, 0o755)); err != nil {
		return err
	}
	for applet := range strings.Lines(list.String()) {
		link := filepath.Join(dir, "bin", strings.TrimSpace(applet))
		if err := os.Symlink("busybox", link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if r := lab.Do(t, p.shell(b, "dettrace image import "+dir+" "+name)); r.Status != 0 {
		return fmt.Errorf("image %s: %s", name, r.Stderr)
	}
	return nil
}

var number = regexp.MustCompile(`[0-9]+`)

// missing is the first line of want that is not in got, in order; "" if all are.
func missing(want, got string) string {
	lines := strings.Split(got, "\n")
	for line := range strings.Lines(want) {
		line = strings.TrimSpace(line)
		if line == "" || line == "..." {
			continue
		}
		pattern := regexp.QuoteMeta(number.ReplaceAllString(line, "0"))
		re := regexp.MustCompile("^" + strings.ReplaceAll(pattern, `\.\.\.`, ".*") + "$")
		at := -1
		for i, l := range lines {
			if re.MatchString(number.ReplaceAllString(strings.TrimSpace(l), "0")) {
				at = i
				break
			}
		}
		if at < 0 {
			return line
		}
		lines = lines[at+1:]
	}
	return ""
}
