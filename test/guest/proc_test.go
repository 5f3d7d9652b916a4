package guest

import (
	"strings"
	"testing"
)

// shell runs a script in a container with the given flags.
func shell(t *testing.T, script string, flags ...string) string {
	t.Helper()
	r := sigLab.Run(t, append(flags, "--", "/bin/sh", "-c", script)...)
	if r.Status != 0 {
		t.Fatalf("status %d: %s%s", r.Status, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// TestProcRandom: uuid is another one at each read and boot_id stays, both are
// functions of the seed.
func TestProcRandom(t *testing.T) {
	const script = "cd /proc/sys/kernel/random && cat uuid uuid boot_id boot_id"
	one, again, two := shell(t, script, "--seed", "1"), shell(t, script, "--seed", "1"), shell(t, script, "--seed", "2")
	if one != again {
		t.Errorf("one seed gives\n%sand\n%s", one, again)
	}
	f, g := strings.Fields(one), strings.Fields(two)
	if len(f) != 4 || len(g) != 4 || f[0] == f[1] || f[2] != f[3] || f[0] == g[0] || f[2] == g[2] {
		t.Errorf("seed 1\n%sseed 2\n%s", one, two)
	}
	for _, id := range append(f, g...) {
		if len(id) != 36 || id[14] != '4' {
			t.Errorf("%q is no random UUID", id)
		}
	}
}

// TestProcTunables: what a process writes about itself is read back, also by
// its children, and changes nothing else.
func TestProcTunables(t *testing.T) {
	got := shell(t, `cat /proc/self/oom_score_adj
echo 500 > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj /proc/$$/oom_adj
(echo 700 > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj); cat /proc/$$/oom_score_adj
(echo 2000 > /proc/$$/oom_score_adj) 2> /dev/null || echo no; cat /proc/1/oom_score_adj`)
	if want := "0\n500\n8\n700\n500\nno\n0\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestProcRefused: the files that no rule knows, and the memory of others, are
// refused with one errno and reported.
func TestProcRefused(t *testing.T) {
	r := sigLab.Run(t, "--verbose", "--", "/bin/sh", "-c", `sleep 1 & for f in self/pagemap self/attr/current $!/mem; do
dd if=/proc/$f bs=1 count=1 2>&1 | grep -o 'Permission denied'; done; wait`)
	if want := strings.Repeat("Permission denied\n", 3); r.Stdout != want {
		t.Errorf("got %q, want %q", r.Stdout, want)
	}
}

// TestProcFDInfo: the inode number in fdinfo is that of stat.
func TestProcFDInfo(t *testing.T) {
	got := shell(t, `exec 3< /etc/passwd 4> /dev/null
for n in 0 1 3 4; do
	a=$(sed -n 's/^ino:[[:space:]]*//p' /proc/$$/fdinfo/$n); b=$(stat -L -c %i /proc/$$/fd/$n)
	[ -z "$a" ] || [ "$a" = "$b" ] && echo $n same || echo $n: $a $b
done`)
	if want := "0 same\n1 same\n3 same\n4 same\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
