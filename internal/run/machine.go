package run

import (
	"bytes"
	"os"
	"slices"

	"dettrace/internal/cpu"
	"dettrace/internal/detfs"
	"dettrace/internal/door"
	"dettrace/internal/host"
	"dettrace/internal/kernel"
	"dettrace/internal/machine"
	"dettrace/internal/procfs"
)

// maxCPUs is the most that a guest is told of: --cpus takes no more either.
const maxCPUs = 1024

// declareMachine decides what the guest is told about its computer, and when
// its clock starts. Open doors bring in the host's.
func (c *container) declareMachine() (err error) {
	s := &c.spec
	c.began = s.startNS() + s.resumed().NS
	if c.open.Time {
		c.began = host.Now()
	}
	c.mach = c.closedMachine()
	if c.open.Time {
		c.mach.BootTime = host.BootTime()
	}
	if c.open.Machine {
		c.mach.CPUs = min(c.cpus, maxCPUs)
		if n := host.Memory(); n > 0 && s.Memory == 0 {
			c.mach.MemTotal = n
		}
	}
	if c.open.Random {
		c.mach.BootID, err = kernel.HostBootID()
	}
	return err
}

// closedMachine is the computer without doors.
func (c *container) closedMachine() machine.Machine {
	s := &c.spec
	m := machine.Default(s.startNS())
	m.CPUs = max(s.CPUs, 1)
	if model, err := cpu.Named(s.cpuModel(), cpu.Host()); err == nil { // settings has refused other names
		m.CPU = model
	}
	m.BootID = kernel.BootID(s.Seed)
	if s.Hostname != "" {
		m.Hostname = s.Hostname
	}
	if s.Memory > 0 {
		m.MemTotal = uint64(s.Memory)
	}
	s.varyMachine(&m)
	return m
}

// machineFiles are the files of /proc and /sys that tell of the computer. Those
// whose text changes with what an open door brings in are marked: reading them
// uses it.
func (c *container) machineFiles() (proc, sys detfs.StaticTree) {
	proc, sys = procfs.ProcTree(c.mach), detfs.StaticTree{Name: "sys", Files: procfs.Sys(c.mach)}
	mark := func(open bool, name string, change func(*machine.Machine)) {
		if !open {
			return
		}
		if proc.Lines != "" {
			proc.Files, proc.Lines = procfs.Proc(c.mach), "" // lines cannot be marked
		}
		m := c.mach
		change(&m)
		markDoor(proc.Files, procfs.Proc(m), name)
		markDoor(sys.Files, procfs.Sys(m), name)
	}
	mark(c.open.Machine, door.Machine, func(m *machine.Machine) { m.CPUs++ })
	mark(c.open.Machine, door.Machine, func(m *machine.Machine) { m.MemTotal += 1 << 40 })
	mark(c.open.Random, door.Random, func(m *machine.Machine) { m.BootID = "" })
	mark(c.open.Time, door.Time, func(m *machine.Machine) { m.BootTime += 1e12 })
	return proc, sys
}

func markDoor(files, other []detfs.StaticFile, name string) {
	for i := range files {
		j := slices.IndexFunc(other, func(f detfs.StaticFile) bool { return f.Path == files[i].Path })
		if j < 0 || !bytes.Equal(files[i].Content, other[j].Content) {
			files[i].Door = name
		}
	}
}

// resolvConf is where the guest's resolver learns of name servers.
const resolvConf = "/etc/resolv.conf"

// etcFiles are the files of /etc that tell of the machine, but those that an
// input brings. With the network open its name servers are the host's.
func (c *container) etcFiles() []detfs.StaticFile {
	files := procfs.Etc(c.mach)
	for i := range files {
		if f := &files[i]; f.Path == resolvConf && c.open.Network {
			if b, err := os.ReadFile(resolvConf); err == nil {
				f.Content, f.Door = b, door.Network
			}
		}
	}
	return slices.DeleteFunc(files, func(f detfs.StaticFile) bool {
		return slices.ContainsFunc(c.spec.Inputs, func(in Input) bool { return in.Guest == f.Path })
	})
}
