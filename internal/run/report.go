package run

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/image"
	"dettrace/internal/inputs"
	"dettrace/internal/kernel"
	"dettrace/internal/output"
	"dettrace/internal/report"
	"dettrace/internal/sandbox"
	"dettrace/internal/syscalls"
)

// report describes the run, however it ended. runErr is dettrace's own error,
// or nil.
func (c *container) report(o outcome, res Result, runErr error) report.Report {
	if !c.listed() {
		return report.Report{}
	}
	s := &c.spec
	r := report.Report{
		Command:       s.Command,
		Exit:          report.Exit{Status: res.Status},
		Changes:       report.Changes{Count: c.summary.Changed, Digest: c.summary.ChangesDigest},
		Commit:        c.committed,
		Settings:      c.settings(),
		LogicalTimeNS: o.logical,
		Events:        o.stats.Events,
		Stops:         report.CountStops(o.stats.Stops, callNames()),
		DoorsUsed:     append(o.stats.Doors, c.summary.Doors...),
		VisibleCPU:    o.visible,
		Host:          c.host(o),
	}
	r.Varied = c.varied(o)
	r.Stops.Served = o.stats.Served
	if runErr != nil {
		r.Exit.Error, r.Exit.Reason = runErr.Error(), reasonOf(runErr)
	} else if o.status.Signaled() {
		r.Exit.Signal = int(o.status.Signal())
	}
	r.Image = report.Image{Ref: s.Image, Guest: "/"}
	for i, l := range c.summary.Layers {
		described := report.Image{Ref: l.Ref, Guest: l.Guest, Portable: l.Portable, Note: l.Changed}
		if i < len(c.learned) {
			described.Digest, described.Observed = c.learned[i].Digest, c.learned[i].Count
		}
		if l.Label == "image" {
			r.Image = described
		} else {
			r.Inputs = append(r.Inputs, described)
		}
	}
	r.Outputs = c.made()
	if s.Image == "host" {
		r.Image.Note = report.NotPortable
	}
	r.Uncontrolled = o.refusals()
	for _, sk := range c.skipped {
		r.Skipped = append(r.Skipped, sk.Path+": "+sk.Why)
	}
	return r
}

// made lists the outputs.
func (c *container) made() []report.Output {
	var out []report.Output
	for _, f := range c.files {
		out = append(out, report.Output{
			Path: image.EscapePath(f.Guest), Type: f.Type, Mode: fmt.Sprintf("%04o", f.Mode), Size: f.Size, Digest: f.Digest, Target: image.EscapePath(f.Target),
		})
	}
	return out
}

func (o outcome) refusals() []report.Refusal {
	var out []report.Refusal
	for _, u := range o.stats.Refused {
		out = append(out, report.Refusal{What: u.What, Errno: u.Errno, Count: u.Count, Where: u.First})
	}
	return out
}

// writeReport writes Spec.Report and Spec.InputList.
func (c *container) writeReport(r report.Report) error {
	s := &c.spec
	if s.Report != "" {
		err := output.SaveFunc(s.Report, output.Options{Force: true}, c.masked(func(w io.Writer) error { return r.Write(w) }))
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if s.InputList == "" || len(c.learned) == 0 {
		return nil
	}
	var layers []inputs.Layer
	for i, l := range c.summary.Layers {
		layers = append(layers, inputs.Layer{Guest: l.Guest, Observations: c.learned[i].Observations})
	}
	err := output.SaveFunc(s.InputList, output.Options{Force: true}, c.masked(func(w io.Writer) error { return inputs.Write(w, layers) }))
	if err != nil {
		return fmt.Errorf("list of inputs: %w", err)
	}
	return nil
}

// reasonOf names the ends that say something about the command.
func reasonOf(err error) string {
	var d *kernel.DeadlockError
	var u *kernel.UncontrolledError
	switch {
	case errors.As(err, &d):
		return "deadlock"
	case errors.Is(err, ErrTimeout):
		return "timeout"
	case errors.As(err, &u):
		return "uncontrolled"
	}
	return ""
}

// settings are the effective ones.
func (c *container) settings() report.Settings {
	if c.settled != nil {
		return *c.settled
	}
	s := &c.spec
	return report.Settings{
		Epoch: report.FormatEpoch(s.EpochNS), Seed: s.Seed, Schedule: s.scheduleSeed(), CPUs: max(c.mach.CPUs, 1), CPUModel: s.cpuModel(), Hostname: s.Hostname,
		User: fmt.Sprintf("%d:%d", c.user.uid, c.user.gid), Workdir: s.Workdir,
		Env: report.RedactEnv(s.Env, append(slices.Clone(s.HostEnvNames), s.Secrets...)), Allow: s.Allow,
		Vary:      s.VaryText(),
		Terminal:  s.terminalText(),
		MemoryMax: s.Memory, PidsMax: s.Pids, TimeoutSec: s.Timeout.Seconds(),
	}
}

// terminalText is the size of the guest's terminal, "" without one.
func (s *Spec) terminalText() string {
	if s.Terminal == nil {
		return ""
	}
	return s.Terminal.Size.String()
}

// host is what differs from one host to the next.
func (c *container) host(o outcome) report.Host {
	h := report.Host{IDMode: "all", CPU: hostCPU(), Requests: map[string]uint64{}, Profile: c.profile(o)}
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
