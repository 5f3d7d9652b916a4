package kernel

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
	"dettrace/internal/trace"
)

// tracer writes the structured record of the run (package trace): what eventLog
// writes for people, with the files and bytes that each call was about. Names
// and numbers that it gives are its own, so that a traced run does not differ
// from another.
type tracer struct {
	w       *trace.Writer
	paths   map[string][]pathArg
	moves   map[string]transfer
	streams map[streamID]*flow
	pipes   int
}

// flow is a pipe, socket or standard stream: how much went in and came out.
type flow struct {
	name    string
	in, out int64
}

func newTracer(w *trace.Writer) *tracer {
	return &tracer{w: w, paths: pathArgs(), moves: transfers(), streams: map[streamID]*flow{}}
}

// traced is what must be kept from a call's entry: its arguments may be
// overwritten, and an exec takes its memory away.
type traced struct {
	args  [6]uint64
	paths [2]string
}

// pathArg says where a call has a path: the number of its argument, and of
// that of the directory it is relative to, or cwd.
type pathArg struct{ dir, path int }

const cwd = -1

// pathArgs are the calls that take paths.
func pathArgs() map[string][]pathArg {
	m := map[string][]pathArg{
		"rename": {{cwd, 0}, {cwd, 1}}, "link": {{cwd, 0}, {cwd, 1}}, "symlink": {{cwd, 1}}, "symlinkat": {{1, 2}},
		"renameat": {{0, 1}, {2, 3}}, "renameat2": {{0, 1}, {2, 3}}, "linkat": {{0, 1}, {2, 3}},
	}
	for _, name := range strings.Fields(`open creat stat lstat access truncate unlink rmdir mkdir chmod chown lchown mknod
		utime utimes readlink statfs setxattr lsetxattr removexattr lremovexattr execve inotify_add_watch`) {
		m[name] = []pathArg{{cwd, 0}}
	}
	for _, name := range strings.Fields(`openat openat2 newfstatat statx faccessat faccessat2 unlinkat mkdirat fchmodat
		fchmodat2 fchownat mknodat futimesat utimensat readlinkat execveat`) {
		m[name] = []pathArg{{0, 1}}
	}
	m["inotify_add_watch"] = []pathArg{{cwd, 1}}
	return m
}

// transfer says which descriptor a call moves bytes of, what it does to them,
// and which argument is the offset, if any.
type transfer struct {
	op     trace.Op
	offset int // -1: the file's own
}

func transfers() map[string]transfer {
	return map[string]transfer{
		"read": {trace.Read, -1}, "readv": {trace.Read, -1}, "pread64": {trace.Read, 3}, "preadv": {trace.Read, 3}, "preadv2": {trace.Read, 3},
		"write": {trace.Write, -1}, "writev": {trace.Write, -1}, "pwrite64": {trace.Write, 3}, "pwritev": {trace.Write, 3}, "pwritev2": {trace.Write, 3},
		"recvfrom": {trace.Read, -1}, "recvmsg": {trace.Read, -1}, "sendto": {trace.Write, -1}, "sendmsg": {trace.Write, -1},
		"getdents": {"", -1}, "getdents64": {"", -1}, "fstat": {"", -1}, "fchmod": {"", -1}, "fchown": {"", -1},
		"fsync": {"", -1}, "fdatasync": {"", -1}, "fallocate": {"", -1}, "fsetxattr": {"", -1}, "ftruncate": {trace.Truncate, -1},
	}
}

// traceEnter keeps what traceCall needs of a call at its entry.
func (k *Kernel) traceEnter(t *Task, name string) {
	if k.trace == nil {
		return
	}
	for i := range t.traced.args {
		t.traced.args[i] = t.arg(i)
	}
	t.traced.paths = [2]string{}
	for i, a := range k.trace.paths[name] {
		p, e := t.str(t.arg(a.path))
		if e != 0 {
			continue
		}
		t.traced.paths[i] = k.absolute(t, a.dir, p)
	}
}

// absolute is path as seen from the guest's root. Links in the middle of it
// stay: a call that opens names the file that it got. An empty path means the
// descriptor itself (AT_EMPTY_PATH).
func (k *Kernel) absolute(t *Task, dirArg int, p string) string {
	if strings.HasPrefix(p, "/") {
		return path.Clean(p)
	}
	dir := "cwd"
	if dirArg != cwd {
		if fd := t.intArg(dirArg); fd != unix.AT_FDCWD {
			if p == "" {
				if f := k.traceFile(t, fd); f != nil {
					return f.Path
				}
			}
			dir = "fd/" + strconv.Itoa(fd)
		}
	}
	base, err := os.Readlink("/proc/" + strconv.Itoa(t.tid) + "/" + dir)
	if err != nil || !strings.HasPrefix(base, "/") {
		return p // no directory: the call fails
	}
	return path.Join(base, p)
}

// traceCall writes the record of a call that ends.
func (k *Kernel) traceCall(t *Task, name, args string, result int64, data string) {
	if k.trace == nil {
		return
	}
	r := trace.Record{
		Time: t.callStart - k.cfg.Epoch, PID: t.proc.vpid, TID: t.vtid, Kind: trace.Call, Name: name, Args: args, Result: result, Data: data,
		Dur: k.Now() - t.callStart,
	}
	if result < 0 && result > -4096 {
		r.Errno = errnoName(unix.Errno(-result))
	}
	c := &t.traced
	if c.paths[0] != "" {
		r.File = &trace.File{Path: c.paths[0]}
	}
	if c.paths[1] != "" {
		r.Other = &trace.File{Path: c.paths[1]}
	}
	if result >= 0 {
		k.traceFiles(t, &r)
	}
	k.trace.w.Write(&r)
}

// traceFiles adds the files and bytes of a call that succeeded.
func (k *Kernel) traceFiles(t *Task, r *trace.Record) {
	c := &t.traced
	switch r.Name {
	case "open", "openat", "openat2", "creat":
		if f := k.traceFile(t, int(r.Result)); f != nil {
			r.File = f
		}
		flags := c.args[1]
		switch r.Name {
		case "openat":
			flags = c.args[2]
		case "creat":
			flags = unix.O_CREAT | unix.O_TRUNC
		case "openat2":
			flags, _ = t.readU64(c.args[2])
		}
		if flags&unix.O_TRUNC != 0 {
			r.Op = trace.Truncate
		}
	case "truncate":
		r.Op, r.File.Off = trace.Truncate, int64(c.args[1])
	case "mmap":
		fd := int(int32(c.args[4]))
		if fd < 0 || c.args[3]&unix.MAP_ANONYMOUS != 0 {
			return
		}
		r.File = k.traceFile(t, fd)
		if r.File != nil {
			r.File.Off, r.File.Len, r.Op = int64(c.args[5]), int64(c.args[1]), trace.MapRead
			if c.args[3]&unix.MAP_TYPE != unix.MAP_PRIVATE && c.args[2]&unix.PROT_WRITE != 0 {
				r.Op = trace.MapWrite
			}
		}
	case "copy_file_range", "splice":
		r.Other = k.traceMove(t, int(int32(c.args[0])), trace.Read, c.args[1], r.Result)
		r.File, r.Op = k.traceMove(t, int(int32(c.args[2])), trace.Write, c.args[3], r.Result), trace.Write
	case "sendfile":
		r.File, r.Op = k.traceMove(t, int(int32(c.args[0])), trace.Write, 0, r.Result), trace.Write
		r.Other = k.traceMove(t, int(int32(c.args[1])), trace.Read, c.args[2], r.Result)
	default:
		m, ok := k.trace.moves[r.Name]
		if !ok {
			return
		}
		fd := int(int32(c.args[0]))
		r.Op = m.op
		switch {
		case m.op == trace.Read || m.op == trace.Write:
			r.File = k.traceBytes(t, fd, m.op, r.Result, func(f *file) int64 {
				if m.offset >= 0 && int64(c.args[m.offset]) >= 0 {
					return int64(c.args[m.offset])
				}
				return f.position() - r.Result
			})
		default:
			r.File = k.traceFile(t, fd)
			if r.File != nil && m.op == trace.Truncate {
				r.File.Off = int64(c.args[1])
			}
		}
	}
}

// traceMove is one side of a call that copies between descriptors; at is the
// address of its offset, which the call has moved on, or 0.
func (k *Kernel) traceMove(t *Task, fd int, op trace.Op, at uint64, n int64) *trace.File {
	return k.traceBytes(t, fd, op, n, func(f *file) int64 {
		if at != 0 {
			end, _ := t.readU64(at)
			return int64(end) - n
		}
		return f.position() - n
	})
}

// traceBytes names the n bytes that were moved; offset gives where they are in a
// file that has offsets.
func (k *Kernel) traceBytes(t *Task, fd int, op trace.Op, n int64, offset func(*file) int64) *trace.File {
	f := k.file(t, fd)
	if f.class == fdBad {
		return nil
	}
	defer f.close()
	out, s := k.traceName(&f)
	switch {
	case s == nil:
		out.Off = max(offset(&f), 0)
	case op == trace.Read:
		out.Off = s.out
		s.out += n
	default:
		out.Off = s.in
		s.in += n
	}
	out.Len = n
	return out
}

func (k *Kernel) traceFile(t *Task, fd int) *trace.File {
	f := k.file(t, fd)
	if f.class == fdBad {
		return nil
	}
	defer f.close()
	out, _ := k.traceName(&f)
	return out
}

// traceName names what f refers to; the stream is nil if it has offsets.
func (k *Kernel) traceName(f *file) (*trace.File, *flow) {
	id := streamID{f.dev, f.ino}
	switch f.class {
	case fdTree:
		return &trace.File{Path: strings.TrimSuffix(f.link(), " (deleted)"), Ino: fdinfoNumber(f.fd, "ino:\t")}, nil
	case fdProc:
		p, _ := f.procPath()
		return &trace.File{Path: "/proc/" + p}, nil
	case fdStdin, fdStdout, fdStderr:
		name := map[fdClass]string{fdStdin: "stdin", fdStdout: "stdout", fdStderr: "stderr"}[f.class]
		s := k.trace.stream(id, func() string { return name })
		return &trace.File{Path: s.name}, s
	case fdFifo, fdSocket:
		kind := "pipe"
		if f.class == fdSocket {
			kind = "socket"
		}
		s := k.trace.stream(id, func() string {
			k.trace.pipes++
			return kind + ":" + strconv.Itoa(k.trace.pipes)
		})
		return &trace.File{Path: s.name}, s
	}
	return &trace.File{Path: f.describe()}, nil
}

func (tr *tracer) stream(id streamID, name func() string) *flow {
	s := tr.streams[id]
	if s == nil {
		s = &flow{name: name()}
		tr.streams[id] = s
	}
	return s
}

// position is the file's offset, 0 if it has none.
func (f *file) position() int64 {
	at, err := unix.Seek(f.fd, 0, unix.SEEK_CUR)
	if err != nil {
		return 0
	}
	return at
}

// traceBirth tells of a new thread, and who made it.
func (k *Kernel) traceBirth(c *Task, parent *Process) {
	if k.trace == nil {
		return
	}
	r := trace.Record{Time: k.Now() - k.cfg.Epoch, PID: c.proc.vpid, TID: c.vtid, Kind: trace.Birth}
	if parent != nil {
		r.Parent = parent.vpid
	}
	k.trace.w.Write(&r)
}

// traceExec tells what program a process has become.
func (k *Kernel) traceExec(t *Task) {
	if k.trace == nil {
		return
	}
	dir := "/proc/" + strconv.Itoa(t.proc.pid)
	r := trace.Record{Time: k.Now() - k.cfg.Epoch, PID: t.proc.vpid, TID: t.vtid, Kind: trace.Exec}
	if exe, err := os.Readlink(dir + "/exe"); err == nil {
		r.File = &trace.File{Path: exe}
	}
	if b, err := os.ReadFile(dir + "/cmdline"); err == nil {
		for _, a := range bytes.Split(bytes.TrimSuffix(b, []byte{0}), []byte{0}) {
			r.Argv = append(r.Argv, string(a))
		}
	}
	k.trace.w.Write(&r)
}

func (k *Kernel) traceSignal(t *Task, sig unix.Signal) {
	if k.trace == nil {
		return
	}
	k.trace.w.Write(&trace.Record{Time: k.Now() - k.cfg.Epoch, PID: t.proc.vpid, TID: t.vtid, Kind: trace.Signal, Name: unix.SignalName(sig)})
}

func (k *Kernel) traceExit(p *Process, st ptrace.Status) {
	if k.trace == nil {
		return
	}
	status := st.ExitStatus()
	if st.Signaled() {
		status = 128 + int(st.Signal())
	}
	k.trace.w.Write(&trace.Record{Time: k.Now() - k.cfg.Epoch, PID: p.vpid, TID: p.vpid, Kind: trace.Exit, Result: int64(status)})
}

// traceClock tells of an instruction that read a clock.
func (k *Kernel) traceClock(t *Task, name string, value int64) {
	if k.trace == nil {
		return
	}
	k.trace.w.Write(&trace.Record{Time: k.Now() - k.cfg.Epoch, PID: t.proc.vpid, TID: t.vtid, Kind: trace.Call, Name: name, Result: value})
}
