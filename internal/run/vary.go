package run

import (
	"fmt"
	"slices"

	"dettrace/internal/detfs"
	"dettrace/internal/machine"
	"dettrace/internal/sandbox"
	"dettrace/internal/vary"
)

// varySpec changes what of the spec the plan varies.
func varySpec(s *Spec) {
	p := s.Vary
	s.Env = p.Environ(s.Env, s.DeclaredEnv, s.EpochNS)
	if c := p.Of(vary.CPUs); c != nil {
		s.CPUs = c.CPUCount(max(s.CPUs, 1))
	}
	if c := p.Of(vary.Host); c != nil {
		s.Hostname = c.HostName()
	}
	if c := p.Of(vary.Schedule); c != nil && s.Schedule == nil {
		s.ScheduleSeed = c.Value(0) | 1
	}
	if c := p.Of(vary.BuildPath); c != nil {
		s.Workdir = c.Moved(s.Workdir)
		s.Inputs, s.Outputs = slices.Clone(s.Inputs), slices.Clone(s.Outputs)
		for i := range s.Inputs {
			s.Inputs[i].Guest = c.Moved(s.Inputs[i].Guest)
		}
		for i := range s.Outputs {
			s.Outputs[i].Guest = c.Moved(s.Outputs[i].Guest)
		}
	}
}

// startNS is when the guest's clock starts; files of image and inputs have the
// epoch.
func (s *Spec) startNS() int64 {
	if c := s.Vary.Of(vary.Time); c.Whole() {
		return s.EpochNS + c.TimeShift()
	}
	return s.EpochNS
}

// varyMachine changes the machine that is declared.
func (s *Spec) varyMachine(m *machine.Machine) {
	p := s.Vary
	if x := p.Of(vary.Host); x != nil {
		m.Domainname = x.DomainName()
	}
	if x := p.Of(vary.Kernel); x != nil {
		m.Release, m.Version = x.KernelRelease(), x.KernelVersion()
	}
	if x := p.Of(vary.Memory); x != nil {
		m.MemTotal = x.MemoryBytes()
	}
	if x := p.Of(vary.Random); x.Whole() {
		m.BootID = vary.UUID(x.Key(1 << 32))
		m.MachineID = fmt.Sprintf("%x", x.Key(1<<33))[:32]
	}
}

// varyUser makes the guest's user another one.
func (c *container) varyUser() {
	s := &c.spec
	x := s.Vary.Of(vary.User)
	if x == nil || s.User != "" {
		return
	}
	if c.mode == sandbox.IDsAll {
		s.User = fmt.Sprintf("%d:%d", x.UserID(), x.UserID())
	}
}

// varyFiles changes what the tree is made of.
func (c *container) varyFiles(cfg *detfs.Config) {
	p := c.spec.Vary
	cfg.Vary = p
	if x := p.Of(vary.Disk); x != nil {
		cfg.MaxBytes = x.DiskBytes()
	}
	if x := p.Of(vary.Home); x != nil {
		cfg.Dirs = append(cfg.Dirs, detfs.Dir{Path: x.HomeDir(), Mode: 0o755, Extra: true})
	}
	if x := p.Of(vary.BuildPath); x != nil {
		for i := range cfg.Dirs {
			cfg.Dirs[i].Path = x.Moved(cfg.Dirs[i].Path)
		}
	}
	if x := p.Of(vary.InputTimes); x != nil {
		for i := range cfg.Mounts {
			if cfg.Mounts[i].Label == "input" {
				cfg.Mounts[i].Older = x.TimeShift()
			}
		}
	}
	if x := p.Of(vary.User); x != nil {
		c.varyOwners(cfg, x)
	}
}

// varyOwners gives what the guest's root would own to the other user, and the
// user a name.
func (c *container) varyOwners(cfg *detfs.Config, x *vary.Choice) {
	id := uint32(0)
	if c.mode == sandbox.IDsAll && c.spec.User == fmt.Sprintf("%d:%d", x.UserID(), x.UserID()) {
		id = x.UserID()
		own := []string{"/root", vary.BuildTop, c.spec.Workdir}
		if h := c.spec.Vary.Of(vary.Home); h != nil {
			own = append(own, h.HomeDir())
		}
		own[1] = c.spec.Vary.Of(vary.BuildPath).Moved(own[1])
		for i := range cfg.Dirs {
			if slices.Contains(own, cfg.Dirs[i].Path) {
				cfg.Dirs[i].UID, cfg.Dirs[i].GID = id, id
			}
		}
		for i := range cfg.Mounts {
			if cfg.Mounts[i].Label == "input" {
				cfg.Mounts[i].Owner = id
			}
		}
	}
	line := func(path, text string) detfs.StaticFile {
		return detfs.StaticFile{Path: path, Mode: 0o644, Content: []byte(text), Before: true, Extra: true}
	}
	cfg.Files = append(cfg.Files,
		line("/etc/passwd", fmt.Sprintf("%s:x:%d:%d::/root:/bin/sh\n", x.UserName(), id, id)),
		line("/etc/group", fmt.Sprintf("%s:x:%d:\n", x.UserName(), id)))
}

// firstPid is the number of the guest's first process.
func (s *Spec) firstPid() int {
	if c := s.Vary.Of(vary.PID); c.Hits(0) {
		return c.PID(0)
	}
	return 2
}

// umask is the guest's.
func (s *Spec) umask() int {
	if s.Vary.Of(vary.Umask) != nil {
		return 0o002
	}
	return 0o022
}

// varied is how often the varied sources were used.
func (c *container) varied(o outcome) []vary.Metered {
	return append(slices.Clone(o.varied), c.summary.Varied...)
}

// VaryText is the plan for the report, "" for an ordinary run.
func (s *Spec) VaryText() string {
	if s.Vary == nil {
		return ""
	}
	return s.Vary.String()
}
