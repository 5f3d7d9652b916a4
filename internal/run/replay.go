package run

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"dettrace/internal/cpu"
	"dettrace/internal/kernel"
	"dettrace/internal/report"
	"dettrace/internal/sandbox"
)

// Replay gives a kept run again, after its output: what was copied out of the
// container is copied out of src, and was is its report.
func Replay(spec Spec, was report.Report, src Source) (Result, error) {
	c := &container{spec: spec, src: src, settled: &was.Settings}
	was.Settings.TimeoutSec = spec.Timeout.Seconds()
	res := Result{Status: was.Exit.Status, Events: was.Events, LogicalNS: was.LogicalTimeNS}
	c.enter(phaseOutputs)
	quiet := c.tellProgress()
	err := c.finish(res.Status)
	quiet()
	if err != nil {
		res.Status = exitStatus(outcome{}, err)
	} else {
		c.closing(c.keeps(res.Status))
	}
	if res.Status != 0 || c.spec.Verbose {
		c.tellRefused(was.Uncontrolled)
	}
	c.tellVisible(was.VisibleCPU)
	res.Report, res.Learned = was, c.learned
	r := &res.Report
	r.Image.Ref = spec.Image
	r.Inputs = slices.Clone(was.Inputs)
	for i := range r.Inputs {
		r.Inputs[i].Ref = "input:" + spec.Inputs[i].Host
	}
	r.Commit = c.committed
	r.Host.Cached = true
	if err != nil {
		r.Exit = report.Exit{Status: res.Status, Error: err.Error(), Reason: reasonOf(err)}
	}
	if rerr := c.writeReport(*r); err == nil && rerr != nil {
		err, res.Status = rerr, ExitFailure
	}
	return res, err
}

// StatusOf is the exit status for an error in giving the streams of a kept run.
func StatusOf(err error) int {
	if errors.Is(err, unix.EPIPE) {
		return exitStatus(outcome{}, kernel.ErrOutputClosed)
	}
	return ExitFailure
}

// HostFacts name what of this host a result may depend on at level self: the
// kernel, the CPU that the guest can see, and which ids can be mapped.
func HostFacts() [][2]string {
	var u unix.Utsname
	release := ""
	if err := unix.Uname(&u); err == nil {
		release = unix.ByteSliceToString(u.Release[:])
	}
	host := Spec{CPUModel: cpu.HostName}
	sum := sha256.Sum256([]byte(host.CPU(cpu.Host())))
	ids := "all"
	if sandbox.DetectIDs() == sandbox.IDsSingle {
		ids = "single"
	}
	return [][2]string{
		{"kernel", release},
		{"CPU", fmt.Sprintf("%s %s", hostCPU(), hex.EncodeToString(sum[:8]))},
		{"ids", ids},
	}
}
