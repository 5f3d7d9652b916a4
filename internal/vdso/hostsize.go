package vdso

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

var errNoVDSO = errors.New("no [vdso] mapping")

// Host is where the kernel puts its vDSO and its data: the same in every
// 64-bit process of one kernel. It never reaches the guest.
type Host struct {
	Code int // bytes of the code, which there is to cover
	Data int // bytes of the data pages that end where the code begins
}

// ReadHost looks at the calling process's own mappings.
func ReadHost() (Host, error) {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return Host{}, fmt.Errorf("size of vdso: %w", err)
	}
	h, err := inMaps(b)
	if err != nil {
		return Host{}, fmt.Errorf("size of vdso: %w", err)
	}
	return h, nil
}

// inMaps finds the mappings in the format of proc_pid_maps(5), which is sorted
// by address.
func inMaps(maps []byte) (h Host, err error) {
	var dataLo, dataHi uint64
	for line := range bytes.Lines(maps) {
		line = bytes.TrimRight(line, "\n")
		isData := bytes.HasSuffix(line, []byte(" [vvar]")) || bytes.HasSuffix(line, []byte(" [vvar_vclock]"))
		if !isData && !bytes.HasSuffix(line, []byte(" [vdso]")) {
			continue
		}
		span, _, _ := bytes.Cut(line, []byte(" "))
		from, to, _ := bytes.Cut(span, []byte("-"))
		lo, err1 := strconv.ParseUint(string(from), 16, 64)
		hi, err2 := strconv.ParseUint(string(to), 16, 64)
		if err := errors.Join(err1, err2); err != nil {
			return h, err
		}
		if hi <= lo || hi-lo > 1<<20 {
			return h, fmt.Errorf("%w of a sane size: %s", errNoVDSO, span)
		}
		if isData {
			if dataHi != lo {
				dataLo = lo
			}
			dataHi = hi
			continue
		}
		if dataHi != lo {
			return h, fmt.Errorf("%w with its data before it", errNoVDSO)
		}
		return Host{Code: int(hi - lo), Data: int(dataHi - dataLo)}, nil
	}
	return h, errNoVDSO
}
