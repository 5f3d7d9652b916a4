package guest

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"dettrace/test/lab"
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

// TestDevices: the table of mounts, stat, statfs and statx tell of the same
// file systems, and nothing that belongs to the host's root shows.
func TestDevices(t *testing.T) {
	got := shell(t, `while read id parent dev root dir rest; do
	stat -c "$dir $dev %Hd:%Ld %m %u:%g %a" "$dir"; stat -f -c %T "$dir"
done < /proc/self/mountinfo
stat -c '%n %Hd:%Ld %m %s %b %u:%g' /etc/passwd /proc/cpuinfo /proc/sys/kernel/random/uuid /sys/kernel/fscaps /dev/null /proc/self/fd
echo > /dev/shm/x; stat -c '%n %m %h' /dev/shm/x /proc
exec 3> /dev/shm/x; grep mnt_id /proc/$$/fdinfo/3`)
	want := `/ 8:1 8:1 / 0:0 755
ext2/ext3
/proc 0:20 0:20 /proc 0:0 555
proc
/sys 0:21 0:21 /sys 0:0 555
sysfs
/dev 0:6 0:6 /dev 0:0 755
tmpfs
/dev/pts 0:22 0:22 /dev/pts 0:0 755
devpts
/dev/shm 0:23 0:23 /dev/shm 0:0 1777
tmpfs
/dev/mqueue 0:19 0:19 /dev/mqueue 0:0 1777
mqueue
/etc/passwd 8:1 / SIZE
/proc/cpuinfo 0:20 /proc 0 0 0:0
/proc/sys/kernel/random/uuid 0:20 /proc 0 0 0:0
/sys/kernel/fscaps 0:21 /sys 4096 0 0:0
/dev/null 0:6 /dev 0 0 0:0
/proc/self/fd 0:20 /proc 0 0 0:0
/dev/shm/x /dev/shm 1
/proc /proc 100
mnt_id:	6
`
	for i, line := range strings.Split(got, "\n") {
		w := ""
		if l := strings.Split(want, "\n"); i < len(l) {
			w = l[i]
		}
		if w, ok := strings.CutSuffix(w, "SIZE"); ok && strings.HasPrefix(line, w) {
			continue
		}
		if line != w {
			t.Errorf("line %d: %q, want %q", i+1, line, w)
		}
	}
}

// TestDeviceNumbers: directory entries of /dev have the numbers of stat, except
// for the tops of mounts.
func TestDeviceNumbers(t *testing.T) {
	got := shell(t, `python3 -c "
import os
for e in sorted(os.scandir('/dev'), key=lambda e: e.name):
    if e.inode() != os.lstat(e.path).st_ino: print(e.name)
"`)
	if want := "mqueue\npts\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMountRoots: statx says of the mounts of the table, and of no other
// file, that they are one's top.
func TestMountRoots(t *testing.T) {
	dir := compile(t, "stat_mount")
	got := twice(t, "-i", dir+":/m", "--", "/m/stat_mount")
	want := []string{
		"/ top id 1 mask 17ff of 2000 unique 80000001",
		"/usr inside id 1 mask 17ff of 2000 unique 80000001",
		"/proc top id 2 mask 17ff of 2000 unique 80000002",
		"/proc/sys inside id 2 mask 17ff of 2000 unique 80000002",
		"/proc/cpuinfo inside id 2 mask 17ff of 2000 unique 80000002",
		"/sys top id 3 mask 17ff of 2000 unique 80000003",
		"/sys/kernel inside id 3 mask 17ff of 2000 unique 80000003",
		"/dev top id 4 mask 17ff of 2000 unique 80000004",
		"/dev/null inside id 4 mask 17ff of 2000 unique 80000004",
		"/dev/pts top id 5 mask 17ff of 2000 unique 80000005",
		"/dev/shm top id 6 mask 17ff of 2000 unique 80000006",
		"/dev/mqueue top id 7 mask 17ff of 2000 unique 80000007",
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Errorf("line %d, want %q, got %q", i, w, got[min(i, len(got)-1)])
		}
	}
}

// TestNamespaces: stat of a namespace has the number of its link.
func TestNamespaces(t *testing.T) {
	got := shell(t, `for n in /proc/self/ns/*; do l=$(readlink $n); [ "$l" = "${l%%:*}:[$(stat -L -c %i $n)]" ] || echo $n $l; done
stat -L -c '%d %u:%g' /proc/self/ns/pid; lsns -n -t user -o NS,NPROCS`)
	if want := "4 0:0\n4026531837      2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestProcTools: tools that read /proc succeed and say the same in every run,
// whatever the nice level they were started at.
func TestProcTools(t *testing.T) {
	const script = "ps aux && ps -eLf && top -bn1 && free && vmstat && uptime && w && nproc && pmap -X $$ && lsblk && findmnt && df -a && prlimit && cat /proc/self/limits"
	want := shell(t, script)
	c := sigLab.Command("--", "/bin/sh", "-c", script)
	c.Args = append([]string{"nice", "-n", "7"}, c.Args...)
	nice, err := exec.LookPath("nice")
	if err != nil {
		t.Fatal(err)
	}
	c.Path = nice
	if r := lab.Do(t, c); r.Stdout != want || r.Status != 0 {
		t.Errorf("status %d, got\n%swant\n%s", r.Status, r.Stdout, want)
	}
}

// TestLimits: the limits are those of the declared machine whatever the
// caller's, calls and /proc agree on them, and a lower one holds.
func TestLimits(t *testing.T) {
	const script = `ulimit -u; ulimit -i; prlimit -n -u -i -o SOFT,HARD --noheadings; grep -E 'processes|pending' /proc/self/limits; cat /proc/1/limits
ulimit -u 5; ulimit -u; grep processes /proc/self/limits; sleep 9 & sleep 9 & sleep 9 & sleep 9 & echo more; kill %1 %2 %3`
	r := sigLab.Run(t, "--", "/bin/bash", "-c", script)
	c := sigLab.Command("--", "/bin/bash", "-c", script)
	c.Args = append([]string{"bash", "-c", `ulimit -u 3000; ulimit -i 2000; exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	c.Path = bash
	if o := lab.Do(t, c); o.Stdout != r.Stdout || o.Status != r.Status {
		t.Errorf("below other limits: status %d, then %d\n%sthen\n%s", r.Status, o.Status, r.Stdout, o.Stdout)
	}
	if !strings.HasPrefix(r.Stdout, "32768\n32768\n") || strings.Contains(r.Stdout, "more") || !strings.Contains(r.Stderr, "Resource temporarily unavailable") {
		t.Errorf("got\n%s%s", r.Stdout, r.Stderr)
	}
}

// A pipe's fields are answered in one stop, with the same errors as by the kernel.
func TestStatPipe(t *testing.T) {
	dir := compile(t, "stat_pipe")
	want := `reader d:10001 10600 links 1 of 0:0 size 0 in 0 blocks of 4096, at 1767225600.0
writer d:10001 10600 links 1 of 0:0 size 0 in 0 blocks of 4096, at 1767225600.0
path d:10003 10600 links 1 of 0:0 size 0 in 0 blocks of 4096, at 1767225600.0
input d:10003 10600 links 1 of 0:0 size 0 in 0 blocks of 4096, at 1767225600.0
below ENOTDIR
no flag ENOENT
no buffer EFAULT
half a buffer EFAULT
left in it 0
read-only EFAULT
closed EBADF
`
	sameLines(t, twice(t, "-i", dir+":/t", "--", "sh", "-c", ": | /t/stat_pipe"), want)
	r := sigLab.OK(t, "--timing", "-i", dir+":/t", "--", "sh", "-c", ": | /t/stat_pipe many")
	entry, exit := regexp.MustCompile(`(?m)^ +(\d+) .* entry fstat$`).FindStringSubmatch(r.Stderr), regexp.MustCompile(`(?m)^ +5\d\d .* exit fstat$`)
	if entry == nil || exit.MatchString(r.Stderr) {
		t.Errorf("more than one stop for each of 500 calls of fstat:\n%s", r.Stderr)
	}
}
