package kernel

import (
	"testing"

	"dettrace/internal/syscalls"
)

// Every row that can stop and is neither native nor refused has a handler:
// buildCalls refuses the others, whatever the policy table promises. So has a
// native row that stops on some arguments: those are the uses that the kernel
// must not see as they are.
func TestRowsHaveHandlers(t *testing.T) {
	// Native on all arguments, but a poll for another process's life on some.
	polls := map[string]bool{"getpgid": true, "getsid": true}
	hs := handlers()
	for _, r := range syscalls.Table() {
		if r.Class == syscalls.Refuse || r.Filter.AlwaysAllows() || hs[r.Name] != nil {
			continue
		}
		if r.Class == syscalls.Native && (len(r.Filter.Rules) == 0 || polls[r.Name]) {
			continue
		}
		t.Errorf("%s (%s) stops but has no handler", r.Name, r.Class)
	}
}
