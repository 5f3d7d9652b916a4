package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limitError explains a refused limit. Raising a hard limit needs a
// capability in the host's user namespace, so it is refused even as root.
func limitError(l Rlimit, err error) error {
	var now unix.Rlimit
	hint := ""
	if unix.Prlimit(0, l.Resource, nil, &now) == nil && l.Hard > now.Max {
		hint = fmt.Sprintf("the host's hard limit is %d; raise it (ulimit -H, limits.conf) to at least %d", now.Max, l.Hard)
	}
	return stepError("set resource limit "+limitName(l.Resource), err, hint)
}

func limitName(r int) string {
	names := [...]string{
		unix.RLIMIT_CPU: "CPU", unix.RLIMIT_FSIZE: "FSIZE", unix.RLIMIT_DATA: "DATA",
		unix.RLIMIT_STACK: "STACK", unix.RLIMIT_CORE: "CORE", unix.RLIMIT_RSS: "RSS",
		unix.RLIMIT_NPROC: "NPROC", unix.RLIMIT_NOFILE: "NOFILE", unix.RLIMIT_MEMLOCK: "MEMLOCK",
		unix.RLIMIT_AS: "AS", unix.RLIMIT_LOCKS: "LOCKS", unix.RLIMIT_SIGPENDING: "SIGPENDING",
		unix.RLIMIT_MSGQUEUE: "MSGQUEUE", unix.RLIMIT_NICE: "NICE", unix.RLIMIT_RTPRIO: "RTPRIO",
		unix.RLIMIT_RTTIME: "RTTIME",
	}
	if r >= 0 && r < len(names) {
		return "RLIMIT_" + names[r]
	}
	return fmt.Sprintf("number %d", r)
}
