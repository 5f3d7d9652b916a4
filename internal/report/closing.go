package report

import (
	"fmt"
	"strconv"
	"strings"
)

// Closing is what the last line tells.
type Closing struct {
	Changed     int // files that differ from the start
	Outputs     int // paths copied out
	WrittenBack int // changes applied to the inputs
	WriteBack   bool
	Saved       string // tar file, or ""
	Commit      string // name of the image asked for, or ""
	Committed   string // its digest, or "" when there is none
	// Failed: the command failed, so that outputs stayed where they were.
	Failed, Asked bool // Asked: there were outputs to copy
}

// Line is the closing line, or "" when there is nothing to say: nothing
// changed, or the user has what they asked for and the command's own output
// should be the last thing on the screen.
func (c Closing) Line() string {
	files := Plural(c.Changed, "file") + " changed"
	var kept []string
	if c.Outputs > 0 {
		kept = append(kept, Plural(c.Outputs, "output")+" copied")
	}
	if c.WriteBack && !c.Failed {
		kept = append(kept, Plural(c.WrittenBack, "change")+" written back")
	}
	if c.Saved != "" {
		kept = append(kept, "saved to "+c.Saved)
	}
	if c.Committed != "" {
		kept = append(kept, "image "+c.Commit+" is "+c.Committed)
	}
	switch {
	case len(kept) > 0:
		return fmt.Sprintf("dettrace: %s, %s", files, strings.Join(kept, ", "))
	case c.Changed == 0:
		return ""
	case c.Failed && (c.Asked || c.WriteBack || c.Commit != ""):
		return fmt.Sprintf("dettrace: %s, none kept because the command failed (--output-on-failure copies outputs anyway)", files)
	}
	return fmt.Sprintf("dettrace: %s, none kept (use -o PATH, --write-back or --save FILE.tar)", files)
}

// Plural is "1 file", "1,234 files".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Digits(int64(n)) + " " + noun + "s"
}

// Digits groups a number in threes.
func Digits(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes is a size with a binary unit and at most one decimal: 512 B, 1.5 KiB.
func Bytes(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	unit := 0
	for n >= 1<<20 { // keep the last division for the decimal
		n >>= 10
		unit++
	}
	text := fmt.Sprintf("%d.%d", n>>10, (n&1023)*10>>10)
	return strings.TrimSuffix(text, ".0") + " " + units[unit]
}
