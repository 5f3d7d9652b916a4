package settings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"dettrace/internal/hint"
)

// Bounds of what the guest can be told: CPU_SETSIZE of sched.h and
// PID_MAX_LIMIT of the kernel.
const (
	maxCPUs = 1024
	maxPids = 1 << 22
)

// parseSeed reads a 64-bit number, decimal or with 0x.
func parseSeed(flag, text string) (uint64, error) {
	seed, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, hint.With(fmt.Errorf("%s %q: not a number of 64 bits", flag, text), "for example: "+flag+" 7")
	}
	return seed, nil
}

// ParseSize reads a byte count: a number and one of K, M, G, T (powers of
// 1024; "KiB" and "KB" mean the same). Empty is 0, no limit.
func ParseSize(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits := strings.TrimRight(text, "KMGTkmgtiIbB")
	unit := strings.TrimSuffix(strings.ToUpper(text[len(digits):]), "B")
	shift, ok := map[string]uint{
		"": 0, "K": 10, "KI": 10, "M": 20, "MI": 20, "G": 30, "GI": 30, "T": 40, "TI": 40,
	}[unit]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || n <= 0 || n > math.MaxInt64>>shift {
		return 0, hint.With(fmt.Errorf("%s %q: not a size", flag, text), "a positive number of bytes with K, M, G or T, such as 512M")
	}
	return n << shift, nil
}

// parseTimeout reads a duration, for an error of flag; a bare number is seconds. Empty is none.
func parseTimeout(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.ParseUint(text, 10, 32); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return 0, hint.With(fmt.Errorf("%s %q: not a time", flag, text), "such as 90, 90s, 10m or 1h30m")
	}
	return d, nil
}
