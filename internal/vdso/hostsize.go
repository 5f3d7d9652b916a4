package vdso

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

var errNoVDSO = errors.New("no [vdso] mapping")

// HostSize is the size in bytes of the kernel's vDSO mapping, which is the same
// in every 64-bit process of one kernel. It never reaches the guest; it only
// says how much of the kernel's code there is to cover.
func HostSize() (int, error) {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, fmt.Errorf("size of vdso: %w", err)
	}
	n, err := sizeInMaps(b)
	if err != nil {
		return 0, fmt.Errorf("size of vdso: %w", err)
	}
	return n, nil
}

// sizeInMaps finds the mapping in the format of proc_pid_maps(5).
func sizeInMaps(maps []byte) (int, error) {
	for line := range bytes.Lines(maps) {
		line = bytes.TrimRight(line, "\n")
		if !bytes.HasSuffix(line, []byte(" [vdso]")) {
			continue
		}
		span, _, _ := bytes.Cut(line, []byte(" "))
		from, to, _ := bytes.Cut(span, []byte("-"))
		lo, err1 := strconv.ParseUint(string(from), 16, 64)
		hi, err2 := strconv.ParseUint(string(to), 16, 64)
		if err := errors.Join(err1, err2); err != nil {
			return 0, err
		}
		if hi <= lo || hi-lo > 1<<20 {
			return 0, fmt.Errorf("%w of a sane size: %s", errNoVDSO, span)
		}
		return int(hi - lo), nil
	}
	return 0, errNoVDSO
}
