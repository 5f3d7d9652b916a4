package run

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"dettrace/internal/detfs"
	"dettrace/internal/symbol"
)

// place says where an address of a process's memory is, for people: in which
// file, at which offset there, and in which function.
func (c *container) place(tid int, addr uint64) string {
	if addr == 0 {
		return "an unknown address"
	}
	at := fmt.Sprintf("%#x", addr)
	maps, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/maps")
	if err != nil {
		return at
	}
	m, ok := mappingAt(string(maps), addr)
	switch {
	case !ok:
		return at
	case m.file == "":
		return at + " (in no file: code made while it ran)"
	}
	where := fmt.Sprintf("%s+%#x", m.file, m.off)
	if b, err := c.guestFile(m.file); err == nil {
		if name, ok := symbol.At(b, m.off); ok {
			where += ", " + name
		}
	}
	return at + " (" + where + ")"
}

// mapping is what lies at an address: off is the place in the file.
type mapping struct {
	file string
	off  uint64
}

// mappingAt looks into the text of proc_pid_maps(5).
func mappingAt(maps string, addr uint64) (mapping, bool) {
	for l := range strings.Lines(maps) {
		f := strings.Fields(l)
		if len(f) < 5 {
			continue
		}
		lo, hi, _ := strings.Cut(f[0], "-")
		from, err1 := strconv.ParseUint(lo, 16, 64)
		to, err2 := strconv.ParseUint(hi, 16, 64)
		off, err3 := strconv.ParseUint(f[2], 16, 64)
		if err1 != nil || err2 != nil || err3 != nil || addr < from || addr >= to {
			continue
		}
		m := mapping{off: addr - from + off}
		if i := strings.IndexByte(l, '/'); i >= 0 {
			m.file = strings.TrimSuffix(l[i:], "\n")
		} else if len(f) > 5 {
			m.file = f[5] // [vdso] and the like
		}
		return m, true
	}
	return mapping{}, false
}

// guestFileMost bounds the files whose symbols are looked for.
const guestFileMost = 512 << 20

var errNoFile = errors.New("no such file that could be read")

// guestFile reads a file as the guest sees it. The file system server gives it:
// a path of the guest's must not be opened by the supervisor.
func (c *container) guestFile(path string) (b []byte, err error) {
	if !strings.HasPrefix(path, "/") || c.fs == nil {
		return nil, errNoFile
	}
	whole := false
	err = pipeTar(c.fs, detfs.TarRequest{Paths: []string{path}}, func(r io.Reader) error {
		t := tar.NewReader(r)
		h, err := t.Next()
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || h.Size > guestFileMost {
			return errNoFile
		}
		b, err = io.ReadAll(t)
		whole = err == nil
		return err
	})
	if whole { // what follows does not matter
		return b, nil
	}
	return nil, err
}
