// Package verify runs a command several times, each time on a machine that is
// deliberately another one (package perturb), and compares all that came out:
// exit status, output, changed files. Equal results are shown by their digest,
// different ones by the first event in which two runs part and the files that
// differ.
package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/perturb"
	"dettrace/internal/rerun"
	"dettrace/internal/run"
	"dettrace/internal/scratch"
	"dettrace/internal/settings"
)

// Program is what is run.
type Program struct {
	Self    string      // our binary
	Flags   []string    // of `dettrace run`, paths absolute; without those of inputs
	Inputs  []run.Input // given to the runs as copies where the host says so
	Command []string
	Env     []string // of the caller
	EnvKeep []string // names in Env that the guest gets and that stay as they are
	EnvAll  bool     // the guest gets Env: nothing in it is perturbed
	Image   string   // as run.Spec has it; given to the runs as a copy, too
	Store   string
	Files   []string     // other files that the runs read; given to them where they are
	Workdir string       // of the command, in the guest
	Dir     *scratch.Dir // for files between us and the runs; the caller's to remove
	Only    []string     // guest paths (globs) to compare; none: all
	Begun   func()       // told of each run; may be nil
	runs    int
}

// Outcome is what one run left.
type Outcome struct {
	Host    string   `json:"host"`
	Status  int      `json:"status"`           // as the shell sees it
	Reason  string   `json:"reason,omitempty"` // deadlock, timeout
	Stdout  string   `json:"stdout"`           // SHA-256
	Stderr  string   `json:"stderr"`           // SHA-256
	Changes string   `json:"changes"`          // digest of the changed files
	Digest  string   `json:"digest"`           // of all of it
	Tail    string   `json:"tail,omitempty"`   // end of standard error, of runs that failed
	Notes   []string `json:"notes,omitempty"`  // what could not be perturbed
	dir     string   // files of the run
}

// place is where files of a run lie.
func (p *Program) place(h perturb.Host) (dir string, remove func(), err error) {
	base := p.Dir.Path
	remove = func() {}
	if h.Memory {
		var st unix.Statfs_t
		if unix.Statfs("/dev/shm", &st) == nil && st.Type == unix.TMPFS_MAGIC && st.Bavail*uint64(st.Bsize) > 2*perturb.MaxCopy {
			if base, err = p.Dir.Also("/dev/shm", "dettrace-verify-"); err != nil {
				base = p.Dir.Path // no place there
			} else {
				remove = func() { _ = os.RemoveAll(base) } // memory of the next boot at the latest
			}
		}
	}
	dir = filepath.Join(base, "host "+strconv.Itoa(p.runs)) // a blank: no path may be taken apart
	if err := os.MkdirAll(dir, 0o755); err != nil {
		remove()
		return "", nil, err
	}
	for _, d := range []string{base, dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			remove()
			return "", nil, err
		}
	}
	return dir, remove, nil
}

// Run makes one run on a host. With log it also writes the event log.
func (p *Program) Run(ctx context.Context, h perturb.Host, log bool) (Outcome, error) {
	p.runs++
	o := Outcome{Host: h.Name, dir: filepath.Join(p.Dir.Path, strconv.Itoa(p.runs))}
	if err := os.Mkdir(o.dir, 0o755); err != nil {
		return o, err
	}
	files, remove, err := p.place(h)
	if err != nil {
		return o, err
	}
	defer remove()
	inputs, err := p.inputs(h, files, &o)
	if err != nil {
		return o, err
	}
	image, anybody := p.image(ctx, h, files, &o)
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	self := p.Self
	if h.User != 0 {
		if self, err = p.otherUser(ctx, &h, files, anybody, &o); err != nil {
			return o, err
		}
	}
	args := []string{"--save", o.file("save"), "--messages", o.file("messages"), "--state-dir", files}
	if h.Order != 0 {
		args = append(args, "--host-order", strconv.FormatUint(h.Order, 10))
	}
	if log {
		args = append(args, "--log", o.file("log"))
	}
	args = append(append(append(append(args, inputs...), p.Flags...), image...), "--")
	args = append(args, p.Command...)
	return o, p.do(ctx, h, self, files, args, &o)
}

func (o *Outcome) file(name string) string { return filepath.Join(o.dir, name) }

// do makes the run and reads its results.
func (p *Program) do(ctx context.Context, h perturb.Host, self, dir string, args []string, o *Outcome) (err error) {
	if p.Begun != nil {
		p.Begun()
	}
	r := rerun.Run{Path: self, Args: args, Env: p.Env, Dir: dir, Report: o.file("report")}
	if h.Umask >= 0 {
		if r.Wrap, err = h.Argv(p.Self, nil); err != nil {
			return err
		}
		if !p.EnvAll {
			r.Env = h.Environ(p.Env, p.EnvKeep)
		}
		stop, err := h.StartLoad(p.Self)
		if err != nil {
			return err
		}
		defer stop()
	}
	out, err := newCapture(o.file("stdout"))
	if err != nil {
		return err
	}
	defer out.Close()
	errs, err := newCapture(o.file("stderr"))
	if err != nil {
		return err
	}
	defer errs.Close()
	r.Stdout, r.Stderr = out, errs
	status, rep, err := r.Do(ctx)
	if err != nil {
		if b, rerr := os.ReadFile(o.file("stderr")); rerr == nil && len(b) > 0 && ctx.Err() == nil {
			err = rerun.Explained(err, errs.sum.Tail())
		}
		return hint.With(fmt.Errorf("host %q: %w", h.Name, err), hint.Of(err))
	}
	o.Status, o.Reason = status, rep.Exit.Reason
	o.Stdout, o.Stderr, o.Changes = out.sum.Sum(), errs.sum.Sum(), rep.Changes.Digest
	if status != 0 {
		o.Tail = errs.sum.Tail()
	}
	if len(p.Only) > 0 {
		if o.Changes, err = p.onlyDigest(o); err != nil {
			return err
		}
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%d %s\n%s\n%s\n%s\n", o.Status, o.Reason, o.Stdout, o.Stderr, o.Changes)))
	o.Digest = "sha256:" + hex.EncodeToString(sum[:])
	return nil
}

// capture is a stream of a run: its digest, and a file.
type capture struct {
	sum  *rerun.Digest
	file *os.File
}

func newCapture(name string) (*capture, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &capture{rerun.NewDigest(), f}, nil
}

func (c *capture) Write(b []byte) (int, error) {
	if _, err := c.sum.Write(b); err != nil {
		return 0, err
	}
	return c.file.Write(b)
}

// Close loses nothing: writes are not buffered.
func (c *capture) Close() { _ = c.file.Close() }

// inputs are the flags of the inputs, after copying them.
func (p *Program) inputs(h perturb.Host, dir string, o *Outcome) ([]string, error) {
	args := []string{"--no-default-input"}
	room := int64(perturb.MaxCopy)
	for i, in := range p.Inputs {
		host := in.Host
		if h.Copy {
			host = filepath.Join(dir, "input "+strconv.Itoa(i), filepath.Base(in.Host))
			err := os.MkdirAll(filepath.Dir(host), 0o755)
			if err == nil && in.Follow {
				err = errors.New("its links are followed") // and would lead elsewhere
			}
			if err == nil {
				err = perturb.Copy(in.Host, host, &room, p.Dir.Path)
			}
			if err == nil && h.Cold {
				err = perturb.Chill(host)
			}
			if err != nil {
				o.Notes = append(o.Notes, fmt.Sprintf("input %s is used where it is: %v", in.Host, err))
				host = in.Host
			}
		}
		args = append(args, "--input="+settings.InputArg(host, in.Guest))
	}
	return args, nil
}

// otherUser prepares files for the host's user, who can read the image if
// anybody can, and the binary that it runs. A host on which it cannot is one without that user.
func (p *Program) otherUser(ctx context.Context, h *perturb.Host, dir string, anybody bool, o *Outcome) (string, error) {
	stay := func(why string) (string, error) {
		o.Notes = append(o.Notes, "no other user: "+why)
		h.User = 0
		return p.Self, nil
	}
	switch {
	case os.Geteuid() != 0:
		return stay("that takes root")
	case !anybody:
		return stay("it may not be able to read the image")
	}
	for _, name := range p.Files {
		if !forEverybody(name) {
			return stay("it may not be able to read " + name)
		}
	}
	self := filepath.Join(dir, "dettrace")
	if err := copyFile(p.Self, self); err != nil {
		return "", err
	}
	for _, d := range []string{dir, o.dir} {
		if err := perturb.Give(d, h.User); err != nil {
			return "", err
		}
	}
	for i, in := range p.Inputs {
		if _, err := os.Lstat(filepath.Join(dir, "input "+strconv.Itoa(i), filepath.Base(in.Host))); err != nil {
			return stay("an input is not a copy")
		}
	}
	probe := rerun.Run{
		Path: self, Args: []string{"--no-default-input", "--state-dir", dir, "--", "/bin/true"},
		Env: []string{"PATH=/usr/bin:/bin"}, Dir: dir, Report: o.file("probe"), Stdout: io.Discard, Stderr: io.Discard,
	}
	var err error
	if probe.Wrap, err = (perturb.Host{User: h.User, Umask: 0o22}).Argv(self, nil); err != nil {
		return "", err
	}
	if status, _, err := probe.Do(ctx); err != nil || status != 0 {
		if ctx.Err() != nil {
			return "", err
		}
		return stay(fmt.Sprintf("its containers do not start here (%v)", err))
	}
	return self, nil
}

// forEverybody reports whether the modes of a file and of the directories above it let
// everybody read it.
func forEverybody(name string) bool {
	file, err := filepath.EvalSymlinks(name)
	if err != nil {
		return false
	}
	may := func(p string, what fs.FileMode) bool {
		info, err := os.Stat(p)
		return err == nil && info.Mode()&what != 0
	}
	for _, dir := range []string{filepath.Dir(name), filepath.Dir(file)} {
		for ; dir != "/"; dir = filepath.Dir(dir) {
			if !may(dir, 0o001) {
				return false
			}
		}
	}
	return may(file, 0o004)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read: nothing can be lost
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Chmod(to, 0o755))
}
