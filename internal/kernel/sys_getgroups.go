package kernel

import (
	"encoding/binary"
	"sort"

	"golang.org/x/sys/unix"
)

// ngroupsMax is the most supplementary groups a process may have (limits.h).
const ngroupsMax = 65536

// getgroups(2). With one mapped id the kernel would show the groups of the
// user outside, all as 65534, and forbids to change them (user_namespaces(7)):
// the list is kept here.
func sysGetgroups(k *Kernel, t *Task) verdict {
	if !k.cfg.SingleID {
		return pass
	}
	n, list := t.intArg(0), t.proc.groups
	switch {
	case n < 0:
		return t.fail(unix.EINVAL)
	case n == 0:
		return t.done(int64(len(list)))
	case n < len(list):
		return t.fail(unix.EINVAL)
	}
	b := make([]byte, 0, 4*len(list))
	for _, g := range list {
		b = binary.LittleEndian.AppendUint32(b, g)
	}
	if len(b) > 0 && !t.write(t.arg(1), b) {
		return t.fail(unix.EFAULT)
	}
	return t.done(int64(len(list)))
}

// setgroups(2): only the list that getgroups(2) and /proc show; it opens no
// file, because the kernel knows no other group than the mapped one.
func sysSetgroups(k *Kernel, t *Task) verdict {
	t.cred = nil
	if !k.cfg.SingleID {
		return pass
	}
	if !t.capable(unix.CAP_SETGID) {
		return t.fail(unix.EPERM)
	}
	n := uint32(t.arg(0))
	if n > ngroupsMax {
		return t.fail(unix.EINVAL)
	}
	b := make([]byte, 4*n)
	if n > 0 && !t.read(t.arg(1), b) {
		return t.fail(unix.EFAULT)
	}
	list := make([]uint32, n)
	for i := range list {
		if list[i] = binary.LittleEndian.Uint32(b[4*i:]); list[i] == ^uint32(0) {
			return t.fail(unix.EINVAL)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] }) // groups_sort()
	t.proc.groups = list
	return t.done(0)
}

// capable reports whether t has a capability in its user namespace.
func (t *Task) capable(c int) bool {
	b, err := readStatus(t.tid)
	return err == nil && hexLine(b, "CapEff:\t")&(1<<c) != 0
}
