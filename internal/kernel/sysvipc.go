package kernel

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// sysvipc renders the files of /proc/sysvipc (proc_sysvipc(5)); raw is the
// kernel's text, which knows nothing of our semaphores and messages.
func (k *Kernel) sysvipc(rel string, raw []byte) []byte {
	var b bytes.Buffer
	head, rows, _ := bytes.Cut(raw, []byte("\n"))
	b.Write(head)
	b.WriteByte('\n')
	switch rel {
	case "sysvipc/sem":
		for _, s := range k.sems.slots {
			if s != nil {
				fmt.Fprintf(&b, "%10d %10d  %4o %10d %5d %5d %5d %5d %10d %10d\n", s.key, s.id, s.mode, len(s.sems),
					s.uid, s.gid, s.cuid, s.cgid, s.otime, s.ctime)
			}
		}
	case "sysvipc/msg":
		for _, q := range k.msgs.slots {
			if q != nil {
				fmt.Fprintf(&b, "%10d %10d  %4o  %10d %10d %5d %5d %5d %5d %5d %5d %10d %10d %10d\n", q.key, q.id, q.mode,
					q.bytes, len(q.messages), q.lspid, q.lrpid, q.uid, q.gid, q.cuid, q.cgid, q.stime, q.rtime, q.ctime)
			}
		}
	case "sysvipc/shm":
		for _, l := range strings.Split(string(rows), "\n") {
			f := strings.Fields(l)
			if len(f) < 14 {
				continue
			}
			id, _ := strconv.Atoi(f[1])
			s := k.shmSegment(id)
			if s == nil {
				s = &shmSegment{}
			}
			fmt.Fprintf(&b, "%10s %10s  %4s %21s %5s %5s  %5s %5s %5s %5s %5s %10d %10d %10d %21s %21d\n", f[0], f[1], f[2], f[3],
				f[4], f[5], f[6], f[7], f[8], f[9], f[10], s.atime, s.dtime, s.ctime, f[3], 0)
		}
	}
	return b.Bytes()
}
