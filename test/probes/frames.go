package probes

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Output is what one probe did in one run.
type Output struct {
	Stdout, Stderr string
	Status         int
	Wall           time.Duration // as seen from outside; not compared
}

// same reports whether two outputs agree in everything that counts.
func (o Output) same(p Output) bool {
	return o.Stdout == p.Stdout && o.Stderr == p.Stderr && o.Status == p.Status
}

// readFrames reads the driver's stream (c/driver.c). It calls begin when a
// probe starts and end when its output is complete; it returns true when the
// driver said that it is done.
func readFrames(r io.Reader, begin func(name string), end func(name string, o Output)) (bool, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	var name string
	var o Output
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return false, fmt.Errorf("read frames: %w", err)
		}
		tag, arg, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch tag {
		case "@@begin":
			name, o = arg, Output{}
			begin(name)
		case "@@out", "@@err":
			n, err := strconv.Atoi(arg)
			if err != nil || n < 0 {
				return false, fmt.Errorf("read frames: bad length %q", arg)
			}
			var b strings.Builder
			if _, err := io.CopyN(&b, br, int64(n)); err != nil {
				return false, fmt.Errorf("read frames: %s of %s: %w", tag, name, err)
			}
			if tag == "@@out" {
				o.Stdout = b.String()
			} else {
				o.Stderr = b.String()
			}
		case "@@end":
			if o.Status, err = strconv.Atoi(arg); err != nil {
				return false, fmt.Errorf("read frames: bad status %q", arg)
			}
			end(name, o)
		case "@@done":
			return true, nil
		default:
			return false, fmt.Errorf("read frames: unexpected line %q", line)
		}
	}
}
