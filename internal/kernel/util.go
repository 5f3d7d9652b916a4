package kernel

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"dettrace/internal/procfs"
)

// readlink makes the target of a magic link free of the host's numbers.
func (k *Kernel) readlink(target string) string {
	return procfs.Readlink(target, k.inodes.get)
}

// indexLine finds a line that begins with key.
func indexLine(b []byte, key string) int {
	if bytes.HasPrefix(b, []byte(key)) {
		return 0
	}
	if i := bytes.Index(b, []byte("\n"+key)); i >= 0 {
		return i + 1
	}
	return -1
}

// fdinfoPid is the host pid that one of our pidfds refers to, or 0.
func fdinfoPid(fd int) int { return int(int64(fdinfoNumber(fd, "Pid:\t"))) }

// fdinfoNumber reads a decimal line of one of our own fdinfo files, or 0.
func fdinfoNumber(fd int, key string) uint64 {
	if fd < 0 {
		return 0
	}
	b, err := readProc("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0
	}
	i := indexLine(b, key)
	if i < 0 {
		return 0
	}
	f := bytes.Fields(b[i+len(key):])
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(string(f[0]), 10, 64)
	return n
}

// siginfoPid reads si_pid of a SIGCHLD siginfo: the union follows three ints
// and, since it holds pointers, four bytes of padding.
func siginfoPid(si *unix.Siginfo) int {
	return int(int32(siginfoWord(si, 16)))
}

func getU32(b []byte) uint32    { return binary.LittleEndian.Uint32(b) }
func getU64(b []byte) uint64    { return binary.LittleEndian.Uint64(b) }
func putU64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

func readStat(pid int) ([]byte, error) {
	return readProc("/proc/" + strconv.Itoa(pid) + "/stat")
}

// statFields are the fields of a process's stat file that follow its name.
func statFields(b []byte) [][]byte {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return nil
	}
	return bytes.Fields(b[i+1:])
}

// signalfdMask is the set that one of our duplicates of a signalfd(2)
// descriptor accepts; ok is false when it is something else.
func (f *file) signalfdMask() (mask uint64, ok bool) {
	if f.class != fdAnon || f.fd < 0 {
		return 0, false
	}
	b, err := readProc("/proc/self/fdinfo/" + strconv.Itoa(f.fd))
	if err != nil || indexLine(b, "sigmask:\t") < 0 {
		return 0, false
	}
	return hexLine(b, "sigmask:\t"), true
}
