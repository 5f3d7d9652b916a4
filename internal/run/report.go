package run

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/kernel"
	"dettrace/internal/output"
	"dettrace/internal/report"
	"dettrace/internal/sandbox"
	"dettrace/internal/syscalls"
)

// writeReport writes Spec.Report, however the run ended. runErr is dettrace's
// own error, or nil.
func (c *container) writeReport(o outcome, res Result, runErr error) error {
	s := &c.spec
	if s.Report == "" {
		return nil
	}
	r := report.Report{
		Command:       s.Command,
		Exit:          report.Exit{Status: res.Status},
		Changes:       report.Changes{Count: c.summary.Changed, Digest: c.summary.ChangesDigest},
		Settings:      c.settings(),
		LogicalTimeNS: o.logical,
		Events:        o.stats.Events,
		Stops:         report.CountStops(o.stats.Stops, callNames()),
		DoorsUsed:     o.stats.Doors,
		VisibleCPU:    readHostCPU().visible(),
		Host:          c.host(o),
	}
	r.Stops.Served = o.stats.Served
	if runErr != nil {
		r.Exit.Error, r.Exit.Reason = runErr.Error(), reasonOf(runErr)
	} else if o.status.Signaled() {
		r.Exit.Signal = int(o.status.Signal())
	}
	r.Image = report.Image{Ref: s.Image, Guest: "/"}
	for _, l := range c.summary.Layers {
		if l.Label == "image" {
			r.Image = layerReport(l)
		} else {
			r.Inputs = append(r.Inputs, layerReport(l))
		}
	}
	if s.Image == "host" {
		r.Image.Note = report.NotPortable
	}
	for _, u := range o.stats.Refused {
		r.Uncontrolled = append(r.Uncontrolled, report.Refusal{What: u.What, Errno: u.Errno, Count: u.Count, Where: u.First})
	}
	for _, sk := range c.skipped {
		r.Skipped = append(r.Skipped, sk.Path+": "+sk.Why)
	}
	err := output.SaveFunc(s.Report, output.Options{Force: true}, func(w io.Writer) error { return r.Write(w) })
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// reasonOf names the ends that say something about the command.
func reasonOf(err error) string {
	var d *kernel.DeadlockError
	switch {
	case errors.As(err, &d):
		return "deadlock"
	case errors.Is(err, ErrTimeout):
		return "timeout"
	}
	return ""
}

func layerReport(l detfs.LayerSummary) report.Image {
	return report.Image{Ref: l.Ref, Guest: l.Guest, Digest: l.Digest, Observed: l.Observed, Portable: l.Portable, Note: l.Changed}
}

// settings are the effective ones.
func (c *container) settings() report.Settings {
	s := &c.spec
	return report.Settings{
		Epoch: report.FormatEpoch(s.EpochNS), Seed: s.Seed, Schedule: s.scheduleSeed(), CPUs: max(s.CPUs, 1), Hostname: s.Hostname,
		User: fmt.Sprintf("%d:%d", c.user.uid, c.user.gid), Workdir: s.Workdir,
		Env: report.RedactEnv(s.Env, s.HostEnvNames), Allow: s.Allow,
		MemoryMax: s.Memory, PidsMax: s.Pids, TimeoutSec: s.Timeout.Seconds(),
	}
}

// host is what differs from one host to the next.
func (c *container) host(o outcome) report.Host {
	h := report.Host{IDMode: "all", CPU: readHostCPU().model, Requests: map[string]uint64{}, Profile: c.profile(o)}
	for _, what := range slices.Sorted(maps.Keys(c.summary.Requests)) {
		h.Requests[what] = c.summary.Requests[what].Count
	}
	if c.mode == sandbox.IDsSingle {
		h.IDMode = "single"
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return h
}

// callNames names calls by number.
func callNames() func(int) string {
	names := make(map[int]string)
	for _, r := range syscalls.Table() {
		names[int(r.Nr)] = r.Name
	}
	return func(nr int) string {
		if name, ok := names[nr]; ok {
			return name
		}
		return fmt.Sprintf("syscall_%d", nr)
	}
}
