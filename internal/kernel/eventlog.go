package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/syscalls"
)

// eventLog writes one line per event: logical time, thread, call, arguments,
// result. It holds no value of the host, so that the logs of two runs can be
// compared byte by byte. With a log every logged call also stops at its exit;
// the order and logical time of events do not change.
type eventLog struct{ w *bufio.Writer }

func newEventLog(w io.Writer) *eventLog { return &eventLog{w: bufio.NewWriterSize(w, 64<<10)} }

// header says that the order of threads is not the default one.
func (l *eventLog) header(scheduleSeed uint64) {
	fmt.Fprintf(l.w, "# schedule-seed %d\n", scheduleSeed)
}

// logEnter notes a call at its entry; the line is written at its end.
func (k *Kernel) logEnter(t *Task, r *syscalls.Row) {
	if !k.logging() || !r.Event {
		return
	}
	t.logText = ""
	k.traceEnter(t, r.Name)
}

// logArg sets the readable arguments of the call.
func (k *Kernel) logArg(t *Task, s string) {
	if k.logging() {
		t.logText = s
	}
}

// logExit writes the line of the call that ends.
func (k *Kernel) logExit(t *Task, result int64) {
	if !k.logging() || !t.logged {
		return
	}
	t.logged = false
	name := "?"
	if t.callNr >= 0 && t.callNr < len(k.calls) && k.calls[t.callNr] != nil {
		name = k.calls[t.callNr].row.Name
	}
	args, digest, data := k.logData(t, result)
	if !data {
		args = t.logText
	}
	if args == "" {
		args = hex(t.regs.Rdi) + ", " + hex(t.regs.Rsi) + ", " + hex(t.regs.Rdx)
	}
	if k.log != nil {
		k.log.printf(t.callStart-k.cfg.Epoch, t, "%s(%s) = %s%s", name, args, resultText(result), prefixed(" #", digest))
	}
	k.traceCall(t, name, args, result, digest)
}

// prefixed is s behind a prefix, or nothing.
func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// logBirth notes a new process or thread of t's.
func (k *Kernel) logBirth(t, child *Task) {
	if k.log != nil {
		k.log.printf(k.Now()-k.cfg.Epoch, t, "+++ started %d/%d +++", child.proc.vpid, child.vtid)
	}
}

// logging reports whether calls are written down, so that each must be seen
// with its arguments and its result.
func (k *Kernel) logging() bool { return k.log != nil || k.trace != nil }

func (k *Kernel) logSignal(t *Task, sig unix.Signal) {
	if k.log != nil {
		k.log.printf(k.Now()-k.cfg.Epoch, t, "--- %s ---", unix.SignalName(sig))
	}
	k.traceSignal(t, sig)
}

func (l *eventLog) printf(ns int64, t *Task, format string, args ...any) {
	fmt.Fprintf(l.w, "%d.%09d %d/%d ", ns/1e9, ns%1e9, t.proc.vpid, t.vtid)
	fmt.Fprintf(l.w, format, args...)
	l.w.WriteByte('\n')
}

func (l *eventLog) exit(k *Kernel, p *Process, st ptrace.Status) {
	ns := k.Now() - k.cfg.Epoch
	how := "exited with " + itoa(st.ExitStatus())
	if st.Signaled() {
		how = "killed by " + unix.SignalName(st.Signal())
	}
	fmt.Fprintf(l.w, "%d.%09d %d/%d +++ %s +++\n", ns/1e9, ns%1e9, p.vpid, p.vpid, how)
}

// Flush writes what the log still buffers.
func (k *Kernel) Flush() error {
	if k.log == nil {
		return nil
	}
	return k.log.w.Flush()
}

func resultText(r int64) string {
	if r < 0 && r > -4096 {
		return "-1 " + errnoName(unix.Errno(-r))
	}
	if r >= 0 && r < 1<<20 {
		return strconv.FormatInt(r, 10)
	}
	return hex(uint64(r))
}

func errnoName(err error) string {
	var e unix.Errno
	if errors.As(err, &e) {
		if e == erestartsys {
			return "ERESTARTSYS" // the call is made again after a signal; no program sees it
		}
		if n := unix.ErrnoName(e); n != "" {
			return n
		}
		return "errno " + itoa(int(e))
	}
	return err.Error()
}

func hex(v uint64) string   { return "0x" + strconv.FormatUint(v, 16) }
func itoa(v int) string     { return strconv.Itoa(v) }
func quote(s string) string { return strconv.Quote(s) }
