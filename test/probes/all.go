package probes

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
)

// OtherUser is the user that perturbed runs become when root runs them.
const OtherUser = 1234

// RunAll builds everything in a temporary directory and evaluates the
// selected probes. module is a directory inside the module.
func RunAll(module, dettrace string, o Options) ([]Row, error) {
	tmp, err := os.MkdirTemp("", "probes")
	if err != nil {
		return nil, fmt.Errorf("probes: %w", err)
	}
	defer os.RemoveAll(tmp)
	if o.NativeOnly {
		dettrace = "none"
	}
	module, err = moduleRoot(module)
	if err != nil {
		return nil, err
	}
	kit, err := Build(tmp, module, dettrace)
	if err != nil {
		return nil, err
	}
	r := &Runner{Kit: kit, Tmp: tmp}
	m := Machine{CPUs: runtime.NumCPU(), Root: os.Geteuid() == 0}
	if m.Root {
		r.User = OtherUser
	}
	rows, err := r.Evaluate(Table(), m, o)
	if err == nil && r.NoReport != "" {
		rows = append(rows, Row{Probe: Probe{Section: "Report", Line: "changed files", Name: "report"}, Problems: []string{r.NoReport}})
	}
	return rows, err
}

// Table is the whole catalogue.
func Table() []Probe {
	return slices.Concat(timeTable(), randomTable(), identityTable(), machineTable(), filesTable(),
		processTable(), threadTable(), signalTable(), procTable(), refusedTable(), inetTable())
}

// moduleRoot walks up to the directory of go.mod.
func moduleRoot(dir string) (string, error) {
	for range 8 {
		var st syscall.Stat_t
		if syscall.Stat(dir+"/go.mod", &st) == nil {
			return dir, nil
		}
		dir += "/.."
	}
	return "", fmt.Errorf("probes: no go.mod above %s", dir)
}
