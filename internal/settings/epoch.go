package settings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"dettrace/internal/hint"
)

// DefaultEpoch is 2026-01-01T00:00:00Z in seconds since 1970: recent enough
// for certificates and archive signatures.
const DefaultEpoch = 1767225600

const defaultEpochText = "2026-01-01T00:00:00Z"

// maxEpoch leaves a century of guest time before ns overflow an int64 (2262).
const maxEpoch = math.MaxInt64/int64(time.Second) - 100*366*86400

// parseEpoch reads --epoch: RFC 3339, a date or a time without a zone (UTC),
// @SECONDS, or now. The result is ns since 1970.
func parseEpoch(text string, now func() time.Time) (int64, error) {
	advice := "such as 2026-01-01, 2026-01-01T12:00:00Z, @1767225600 or now"
	if text == "now" {
		return now().Unix() * int64(time.Second), nil // whole seconds: SOURCE_DATE_EPOCH must say the same
	}
	if digits, ok := strings.CutPrefix(text, "@"); ok {
		ns, err := parseSeconds(digits)
		if err != nil {
			return 0, hint.With(fmt.Errorf("--epoch %q: %w", text, err), advice)
		}
		return ns, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			if t.Unix() < 0 || t.Unix() > maxEpoch {
				return 0, hint.With(fmt.Errorf("--epoch %q: not between 1970 and 2160", text), advice)
			}
			return t.UnixNano(), nil
		}
	}
	return 0, hint.With(fmt.Errorf("--epoch %q: not a time", text), advice)
}

// parseSeconds reads whole seconds since 1970, as in SOURCE_DATE_EPOCH, to ns.
func parseSeconds(digits string) (int64, error) {
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("not a number of seconds since 1970")
	}
	if int64(n) > maxEpoch {
		return 0, fmt.Errorf("not between 1970 and 2160")
	}
	return int64(n) * int64(time.Second), nil
}
