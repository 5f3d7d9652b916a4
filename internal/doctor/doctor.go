// Package doctor asks the host what it can do for containers: which abilities
// it has, what each gives, what is lost without it and what mends it.
//
// Nothing is changed on the host. What can be tried is tried rather than
// looked up: a sysctl does not say what a security module forbids.
package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// Status is what a check found.
type Status string

const (
	OK      Status = "ok"
	Limited Status = "limited" // dettrace runs, with the loss that Check.Lost names
	Missing Status = "missing" // dettrace cannot run
)

// Check is one ability of the host.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Found  string `json:"found"`          // what there is
	Gives  string `json:"gives"`          // what it is for
	Lost   string `json:"lost,omitempty"` // what is lost as it is; empty when OK
	Fix    string `json:"fix,omitempty"`  // the command, or what to do
}

// Report is all checks, in the order in which they should be mended.
type Report struct {
	Ready  bool    `json:"ready"` // nothing is missing
	Checks []Check `json:"checks"`
}

// Examine makes all checks. try runs a command in a real container and returns
// why it could not, with the advice of that error; it is the last check.
func Examine(stateDir string, try func() (advice string, err error)) Report {
	var r Report
	for _, check := range []func() Check{
		kernelVersion, chroot, userNamespaces, otherNamespaces, fuseDevice, procfs, ptraceScope, seccomp,
		ids, cgroups, autogroup, rdtsc, cpuid, clockPages, pidTranslation, pmu, memory, func() Check { return stateSpace(stateDir) },
	} {
		r.Checks = append(r.Checks, check())
	}
	c := Check{Name: "container", Status: OK, Found: "a command ran", Gives: "everything together"}
	if advice, err := try(); err != nil {
		c.Status, c.Found, c.Lost, c.Fix = Missing, err.Error(), "dettrace cannot run here", advice
	}
	r.Checks = append(r.Checks, c)
	r.Ready = true
	for _, c := range r.Checks {
		r.Ready = r.Ready && c.Status != Missing
	}
	return r
}

// JSON writes r as one object.
func (r Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// Text writes r for people: the table, then what is lost and how to mend it.
func (r Report) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Status, c.Name, c.Found)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, status := range []Status{Missing, Limited} {
		for _, c := range r.Checks {
			if c.Status != status {
				continue
			}
			if _, err := fmt.Fprintf(w, "\n%s: %s\n  gives: %s\n  lost:  %s\n", c.Status, c.Name, c.Gives, c.Lost); err != nil {
				return err
			}
			if c.Fix != "" {
				if _, err := fmt.Fprintf(w, "  mend:  %s\n", c.Fix); err != nil {
					return err
				}
			}
		}
	}
	verdict := "dettrace can run here"
	if !r.Ready {
		verdict = "dettrace cannot run here"
	}
	_, err := fmt.Fprintf(w, "\n%s\n", verdict)
	return err
}
