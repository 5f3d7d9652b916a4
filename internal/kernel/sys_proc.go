package kernel

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// readProc answers a read from procfs: the kernel's text is fetched whole,
// made free of the host, and served at the position of the shared file
// description.
func (k *Kernel) readProc(t *Task, f *file) verdict {
	if f.mode&unix.S_IFMT != unix.S_IFREG || !f.readable() {
		return pass // EISDIR, EBADF
	}
	rel, gone := f.procPath()
	known, asks := k.norm.Known(rel)
	if _, _, name := procIDs(rel); name == "mem" {
		if owner := k.procTask(rel); owner != nil && owner.proc == t.proc {
			return pass
		}
		known = false
	}
	switch {
	case !known:
		k.refuse(t, "read of /proc/"+rel, unix.EACCES)
		return t.fail(unix.EACCES)
	case rawProc(rel):
		return pass
	case gone:
		return t.fail(unix.ESRCH)
	}
	var raw []byte
	if asks {
		var err error
		if raw, err = readAllAt(f.fd); err != nil {
			e := unix.EIO
			errors.As(err, &e)
			return t.fail(e)
		}
	}
	facts := k.procFacts(rel)
	if strings.HasPrefix(rel, "sysvipc/") {
		facts.IPC = k.sysvipc(rel, raw)
	}
	if _, _, name := procIDs(rel); strings.HasPrefix(name, "net/") {
		facts.Sockets = k.inet.ProcLines(name[len("net/"):], func(ino uint64) uint64 { return k.inodes.get("socket", ino) })
	}
	text, ok := k.norm.File(rel, raw, facts)
	if !ok {
		// A kernel with another format: nothing that the guest did.
		k.refuse(t, "read of /proc/"+rel, unix.EIO)
		return t.fail(unix.EIO)
	}
	if t.callNr == unix.SYS_PREAD64 || t.callNr == unix.SYS_PREADV || t.callNr == unix.SYS_PREADV2 {
		pos := int64(t.arg(3))
		if pos >= 0 {
			return k.readInto(t, func(n int) ([]byte, unix.Errno) { return window(text, pos, n), 0 })
		}
		if t.callNr != unix.SYS_PREADV2 || pos != -1 {
			return t.fail(unix.EINVAL)
		}
	}
	pos, err := unix.Seek(f.fd, 0, unix.SEEK_CUR)
	if err != nil {
		return t.fail(unix.ESPIPE)
	}
	return k.readInto(t, func(n int) ([]byte, unix.Errno) {
		w := window(text, pos, n)
		if len(w) > 0 {
			if _, err := unix.Seek(f.fd, pos+int64(len(w)), unix.SEEK_SET); err != nil {
				return nil, unix.EIO
			}
		}
		return w, 0
	})
}

// rawProc are the files of procfs whose bytes are the guest's own memory.
func rawProc(rel string) bool {
	switch _, _, name := procIDs(rel); name {
	case "mem", "cmdline", "environ":
		return rel != name
	}
	return false
}

// writeProc implements writes to procfs: settings of a process are remembered
// (procfs.Tunables) or, where they are the process's own, the kernel's.
func (k *Kernel) writeProc(t *Task, f *file) verdict {
	rel, gone := f.procPath()
	if f.mode&unix.S_IFMT != unix.S_IFREG || !f.writable() {
		return pass // EBADF
	}
	_, _, name := procIDs(rel)
	switch {
	case gone:
		return t.fail(unix.ESRCH)
	case name == "comm", name == "clear_refs":
		return pass
	}
	if o := k.procTask(rel); o != nil {
		const room = 64 // more than any of them takes
		n, e := t.length()
		if e != 0 {
			return t.fail(e)
		}
		text, e := t.gather(min(n, room))
		if e != 0 {
			return t.fail(e)
		}
		tun := o.tunables()
		if e, ok := tun.Set(name, text, t.capable(unix.CAP_SETUID)); ok {
			if e != 0 {
				return t.fail(e)
			}
			o.proc.tunables, o.timerSlack = tun, tun.TimerSlack
			return t.done(int64(n))
		}
	}
	k.refuse(t, "write to /proc/"+rel, unix.EACCES)
	return t.fail(unix.EACCES)
}

func window(p []byte, pos int64, n int) []byte {
	if pos < 0 || pos >= int64(len(p)) {
		return nil
	}
	p = p[pos:]
	return p[:min(n, len(p))]
}

// readAllAt reads a procfs file from its start without moving its position.
func readAllAt(fd int) ([]byte, error) {
	var out []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Pread(fd, buf, int64(len(out)))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 || len(out) > 64<<20 {
			return out, nil
		}
		out = append(out, buf[:n]...)
	}
}

func readStatus(tid int) ([]byte, error) {
	return readProc("/proc/" + strconv.Itoa(tid) + "/status")
}

// openFDs lists the open descriptors of a process, ascending.
func openFDs(pid int) []int {
	es, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range es {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, n)
		}
	}
	return out
}
