package guest

import (
	"slices"
	"strings"
	"testing"
)

// A strict run ends where the guest gets what can see the host's CPU, and says at
// its end what is only not proved to be none.
func TestStrictCPU(t *testing.T) {
	inputs := []string{"-i", compile(t, "interpret") + ":/i", "-i", compile(t, "selfmod") + ":/s", "-i", compile(t, "madecode") + ":/t"}
	const linker = "/lib64/ld-linux-x86-64.so.2"
	for _, c := range []struct {
		name, says string
		args       []string
	}{
		{"host model", "features of the host's CPU (--cpu-model host)", []string{"--cpu-model", "host", "--", "true"}},
		{"interpreter", "what /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 can see of the host's CPU, mapped by interpret (pid 2)", []string{"--", "/i/interpret", linker}},
		{"code in writable memory", "what code that the guest makes can see of the host's CPU, made by selfmod (pid 2)", []string{"--", "/s/selfmod"}},
		{"mprotect", "made by madecode (pid 2)", []string{"--", "/t/madecode", "mprotect"}},
		{"memfd", "made by madecode (pid 2)", []string{"--", "/t/madecode", "memfd"}},
		{"shared", "made by madecode (pid 2)", []string{"--", "/t/madecode", "shared"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, more := range [][]string{nil, {"--no-fast-paths"}} {
				r := sigLab.Run(t, slices.Concat([]string{"--strict"}, inputs, more, c.args)...)
				if r.Status != 125 || r.Stdout != "" || !strings.Contains(r.Stderr, "dettrace: error: not controlled: ") || !strings.Contains(r.Stderr, c.says) {
					t.Errorf("%v: %d, %s%s", more, r.Status, r.Stdout, r.Stderr)
				}
			}
		})
	}
	// The default machine says that such code was made.
	r := sigLab.OK(t, append(inputs, "--verbose", "--", "/t/madecode", "mprotect")...)
	if r.Stdout != "made\n" || !strings.Contains(r.Stderr, "dettrace: note: can show the host's CPU: ") {
		t.Errorf("%s%s", r.Stdout, r.Stderr)
	}
}
