// Package rerun makes runs of a command by `dettrace run`, a process each, as
// users would repeat them: what hunt, verify and explain compare.
package rerun

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"dettrace/internal/hint"
	"dettrace/internal/report"
)

// Run is one run to make.
type Run struct {
	Wrap   []string // command line in front of dettrace's, or nil
	Path   string   // of dettrace
	Args   []string // after "run --report FILE"
	Env    []string // nil: the caller's
	Dir    string   // working directory; "": the caller's
	Report string   // file for the report
	Stdin  *os.File // nil: /dev/null
	Stdout io.Writer
	Stderr io.Writer
}

// Do makes the run and returns its exit status as the shell sees it, and its report. The
// command's failures, deadlocks and timeouts are results; that dettrace itself
// failed is an error.
func (r Run) Do(ctx context.Context) (int, report.Report, error) {
	var rep report.Report
	args := append([]string{r.Path, "run", "--report", r.Report}, r.Args...)
	args = append(r.Wrap[:len(r.Wrap):len(r.Wrap)], args...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = r.Env, r.Dir, r.Stdout, r.Stderr
	if r.Stdin != nil {
		cmd.Stdin = r.Stdin
	}
	// Who is killed with SIGKILL leaves no run behind. Pdeathsig is about the
	// thread that starts the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return 0, rep, context.Cause(ctx)
	} else if err != nil && !errors.As(err, &exit) {
		return 0, rep, fmt.Errorf("dettrace run: %w", err)
	}
	status := cmd.ProcessState.ExitCode()
	b, err := os.ReadFile(r.Report)
	if err == nil {
		err = json.Unmarshal(b, &rep)
	}
	if err != nil {
		return status, rep, fmt.Errorf("run failed with status %d before it had a report", status)
	}
	if rep.Exit.Error != "" && rep.Exit.Reason == "" {
		return status, rep, errors.New(rep.Exit.Error)
	}
	return status, rep, nil
}

// Explained is the error of a run with the end of what it printed on standard error: other lines
// than those that say the same, and its hint.
func Explained(err error, tail string) error {
	var lines []string
	advice := hint.Of(err)
	for line := range strings.Lines(tail) {
		line = strings.TrimRight(line, "\n")
		own, isOwn := strings.CutPrefix(line, "dettrace: ")
		if text, ok := strings.CutPrefix(own, "hint: "); isOwn && ok {
			advice = text
		}
		if line != "" && !isOwn {
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		err = fmt.Errorf("%w; it printed: %s", err, strings.Join(lines, "\n"))
	}
	return hint.With(err, advice)
}

// Digest hashes what is written to it and keeps the end.
type Digest struct {
	h    hash.Hash
	tail []byte
}

// NewDigest is an empty one.
func NewDigest() *Digest { return &Digest{h: sha256.New()} }

const tailSize = 4 << 10

// Write never fails.
func (d *Digest) Write(b []byte) (int, error) {
	d.h.Write(b)
	d.tail = append(d.tail, b...)
	if n := len(d.tail); n > 2*tailSize {
		d.tail = append(d.tail[:0], d.tail[n-tailSize:]...)
	}
	return len(b), nil
}

// Sum is the SHA-256 in hexadecimal.
func (d *Digest) Sum() string { return hex.EncodeToString(d.h.Sum(nil)) }

// Tail is the end of what was written, 4 KiB at most.
func (d *Digest) Tail() string {
	t := d.tail
	if len(t) > tailSize {
		t = t[len(t)-tailSize:]
	}
	return strings.ToValidUTF8(string(t), "\ufffd")
}

// Quote writes a command line as a shell reads it, on one line and without bytes
// that a terminal would obey: a word with such is written as $'...', which is in
// POSIX since 2024 and older in bash, zsh, ksh and busybox.
func Quote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if strings.IndexFunc(a, unprintable) >= 0 {
			out[i] = escape(a)
			continue
		}
		safe := a != "" && strings.IndexFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,@%+", r))
		}) < 0
		if out[i] = a; !safe {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// escape writes s as $'...', bytes that cannot be printed as three octal digits.
func escape(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unprintable(r):
			for _, c := range []byte(s[:n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	b.WriteString("'")
	return b.String()
}
