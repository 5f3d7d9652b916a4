// Package eventlog reads the event logs of runs (dettrace run --log): a line
// for each event with its logical time, process, thread and what happened.
package eventlog

import (
	"bufio"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Difference is where two logs part.
type Difference struct {
	Line   int      `json:"line"`   // in both logs, from 1
	Before []string `json:"before"` // lines that are still the same
	A      string   `json:"a"`      // "" at the end of the log
	B      string   `json:"b"`
	AfterA []string `json:"after_a"`
	AfterB []string `json:"after_b"`
	ProcA  []string `json:"command_a"` // command line of the process of line A, nil if not known
	ProcB  []string `json:"command_b"`
	PidA   int      `json:"pid_a"`
	PidB   int      `json:"pid_b"`
}

const context = 6 // lines before and after

// Compare finds the first line in which two logs differ; nil if there is none.
// first is the command line of the first process.
func Compare(a, b string, first []string) (*Difference, error) {
	fa, err := os.Open(a)
	if err != nil {
		return nil, err
	}
	defer fa.Close() // only read: nothing can be lost
	fb, err := os.Open(b)
	if err != nil {
		return nil, err
	}
	defer fb.Close() // only read: nothing can be lost
	ra, rb := bufio.NewReaderSize(fa, 1<<20), bufio.NewReaderSize(fb, 1<<20)
	d := &Difference{}
	procs := Commands{2: first}
	for {
		d.Line++
		la, ea := ra.ReadString('\n')
		lb, eb := rb.ReadString('\n')
		if err := errors.Join(trouble(ea), trouble(eb)); err != nil {
			return nil, err
		}
		if la != lb {
			d.A, d.B = strings.TrimSuffix(la, "\n"), strings.TrimSuffix(lb, "\n")
			break
		}
		if ea != nil {
			return nil, nil
		}
		line := strings.TrimSuffix(la, "\n")
		procs.See(line)
		if len(d.Before) == context {
			d.Before = d.Before[1:]
		}
		d.Before = append(d.Before, line)
	}
	d.PidA, d.ProcA = procs.Of(d.A)
	d.PidB, d.ProcB = procs.Of(d.B)
	d.AfterA, d.AfterB = lines(ra), lines(rb)
	return d, nil
}

func trouble(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// lines are the next few.
func lines(r *bufio.Reader) (out []string) {
	for len(out) < context {
		l, err := r.ReadString('\n')
		if l != "" {
			out = append(out, strings.TrimSuffix(l, "\n"))
		}
		if err != nil {
			break
		}
	}
	return out
}

// Commands are command lines by process.
type Commands map[int][]string

// Compiled at the first use: it takes longer than anything else in the start of a run.
var (
	bornLine = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\S+ (\d+)/\d+ \+\+\+ started (\d+)/\d+ \+\+\+$`)
	})
	execLine = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\S+ (\d+)/\d+ execve(?:at)?\(.*?("(?:[^"\\]|\\.)*"), \[(.*)\]\) = 0$`)
	})
)

// See learns from a line of the log.
func (c Commands) See(line string) {
	if m := bornLine().FindStringSubmatch(line); m != nil {
		parent, _ := strconv.Atoi(m[1])
		child, _ := strconv.Atoi(m[2])
		if argv, ok := c[parent]; ok && child != parent {
			c[child] = argv
		}
		return
	}
	if !strings.Contains(line, " execve") {
		return
	}
	m := execLine().FindStringSubmatch(line)
	if m == nil {
		return
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		return
	}
	var argv []string
	for rest := m[3]; rest != ""; rest = strings.TrimPrefix(rest, ", ") {
		q, err := strconv.QuotedPrefix(rest)
		if err != nil {
			break // shortened
		}
		s, err := strconv.Unquote(q)
		if err != nil {
			break
		}
		argv, rest = append(argv, s), rest[len(q):]
	}
	c[pid] = argv
}

// Of is the process of a line and its command line.
func (c Commands) Of(line string) (pid int, argv []string) {
	_, rest, _ := strings.Cut(line, " ")
	who, _, _ := strings.Cut(rest, "/")
	pid, err := strconv.Atoi(who)
	if err != nil {
		return 0, nil
	}
	return pid, c[pid]
}
