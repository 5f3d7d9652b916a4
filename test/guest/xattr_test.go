package guest

import (
	"os"
	"strings"
	"testing"
)

// Attributes are read as from a kernel that has them, although ours says that our
// file system has none: what is there, what is not, sizes, errors in their order.
// Reading is no event, and it is the same with and without fast paths.
func TestXattr(t *testing.T) {
	dir := compile(t, "xattr")
	args := []string{"-i", dir + ":/t", "--", "/t/xattr"}
	sameWithout(t, args...)
	out := sigLab.Run(t, args...).Stdout
	want := `
with user.a: 5 6ac9171
  short user.a: ERANGE
  nowhere user.a: EFAULT
with user.none: ENODATA
with user.empty: 0 0
with user.big: 65536 5cd03aca8a200000
  link user.big: ERANGE
  size user.big: 65536 0
with security.capability: ENODATA
with system.posix_acl_: ENODATA
with trusted.x: ENODATA
with system.posix_acl_access: EOPNOTSUPP
with system.posix_acl_accessible: ENODATA
with system.other: ENODATA
with none: ENODATA
with : ERANGE
with bad name: EFAULT
without user.a: ENODATA
none user.a: ENOENT
with/x user.a: ENOTDIR
loop user.a: ELOOP
dir user.a: 14 54fe3af9a809aca5
fifo user.a: ENODATA
/proc/self/status user.a: EOPNOTSUPP
bad path user.a: EFAULT
descriptor user.a: 5 6ac9171
no descriptor user.a: EBADF
O_PATH user.a: EBADF
directory user.a: 14 54fe3af9a809aca5
unlinked user.a: 5 6ac9171
at the end user.a: 6 c9fb4eb0
at the end value: EFAULT
`
	if os.Getuid() == 0 {
		want += `another user user.a: EACCES
another user security.own: ENODATA
capability 2000001, 20 bytes, root 0: set 0
caps security.capability: 20 80d8c224338228e4
capability 3000001, 24 bytes, root 0: set 0
capability 3000001, 24 bytes, root 7: set 0
caps security.capability: 24 f55a6deef573afe
caps short: ERANGE
`
	}
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		if !strings.Contains(out, "\n"+line) {
			t.Errorf("no line %q", line)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
