// Package effective lists what the result of a run depends on, besides what it
// reads of image and inputs: its settings with all defaults filled in, and what
// this host adds. The cache finds results by the hash of the list, `dettrace
// config` shows it.
//
// The value of a variable that was taken from the host is in the list as a
// digest, that of a secret not at all.
package effective

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dettrace/internal/cpu"
	"dettrace/internal/report"
	"dettrace/internal/run"
)

// schema counts changes of what a result means for the same settings.
const schema = "2"

// Setting is one of them, as text.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Digest gives the SHA-256 of a host file, "sha256:HEX".
type Digest func(path string) (string, error)

// Hash is the SHA-256 of settings in their order, in hexadecimal.
func Hash(settings []Setting) string {
	h := sha256.New()
	for _, s := range settings {
		fmt.Fprintf(h, "%d:%s%d:%s", len(s.Name), s.Name, len(s.Value), s.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

type settings []Setting

func (s *settings) add(name string, value any) { *s = append(*s, Setting{name, fmt.Sprint(value)}) }

// Host is what this host adds: this program itself, the kernel, the CPU.
func Host(digest Digest) ([]Setting, error) {
	var s settings
	self, err := digest("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	s.add("schema", schema)
	s.add("dettrace", self)
	for _, f := range run.HostFacts() {
		s.add("host "+f[0], f[1])
	}
	return s, nil
}

// Of are the settings of spec, the same on every host, in a fixed order; stdin
// says what its standard input is. A Command that is nil is left out.
func Of(spec *run.Spec, stdin string, digest Digest) ([]Setting, error) {
	var s settings
	ref := spec.Image
	if path, ok := strings.CutPrefix(ref, "tar:"); ok {
		d, err := digest(path)
		if err != nil {
			return nil, err
		}
		ref = "tar " + d
	} else if strings.HasPrefix(ref, "dir:") {
		ref = "dir" // what was read of it says more than its place
	}
	s.add("image", ref)
	for _, in := range spec.Inputs {
		s.add("input "+in.Guest, fmt.Sprintf("keep-mtime=%v follow=%v hide=%s", in.KeepMtime, in.Follow, list(in.Hide)))
	}
	s.add("working directory", spec.Workdir)
	s.add("directories of the user", list(spec.Own))
	if spec.Command != nil {
		s.add("command", list(spec.Command))
	}
	s.environment(spec)
	s.add("epoch", report.FormatEpoch(spec.EpochNS))
	s.add("seed", spec.Seed)
	s.add("schedule", schedule(spec))
	if spec.Vary != nil {
		s.add("varied", spec.VaryText())
		s.add("variables that are not varied", list(spec.DeclaredEnv))
	}
	s.add("CPUs", max(spec.CPUs, 1))
	s.add("CPU", cpuOf(spec))
	s.add("host name", spec.Hostname)
	s.add("user", cmp.Or(spec.User, "0:0"))
	s.add("doors", list(spec.Allow))
	if spec.Strict {
		s.add("strict", true)
	}
	s.add("memory", spec.Memory)
	s.add("pids", spec.Pids)
	s.add("standard input", stdin)
	if spec.Terminal != nil {
		s.add("terminal", spec.Terminal.Size)
	}
	s.kept(spec)
	return s, nil
}

// environment adds the variables and their order.
func (s *settings) environment(spec *run.Spec) {
	var names []string
	for _, kv := range spec.Env {
		name, value, _ := strings.Cut(kv, "=")
		names = append(names, name)
		switch {
		case slices.Contains(spec.Secrets, name):
			value = "(secret)"
		case slices.Contains(spec.HostEnvNames, name):
			value = sum(value)
		}
		s.add("variable "+name, value)
	}
	s.add("order of variables", list(names))
}

// kept adds what is kept of the run: nothing else is stored.
func (s *settings) kept(spec *run.Spec) {
	var outs []string
	for _, o := range spec.Outputs {
		outs = append(outs, o.Guest)
	}
	s.add("outputs", list(outs))
	s.add("outputs on failure", spec.OutputOnFailure)
	s.add("write back", spec.WriteBack)
	s.add("save", spec.Save != "")
	s.add("commit", spec.Commit != "")
}

// cpuOf is the model that the guest is shown, and all that cpuid says of it.
func cpuOf(spec *run.Spec) string {
	model := spec.CPUModel
	if model == "" {
		model = cpu.Default
	}
	return model + " " + sum(spec.CPU(cpu.Host()))
}

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(d[:])
}

func list(words []string) string {
	if words == nil {
		words = []string{}
	}
	b, _ := json.Marshal(words) // strings always marshal
	return string(b)
}

// schedule is the order of threads.
func schedule(spec *run.Spec) string {
	if spec.Schedule == nil {
		return "seed " + strconv.FormatUint(spec.ScheduleSeed, 10)
	}
	h := sha256.New()
	_ = spec.Schedule.Write(h) // a hash takes everything
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
