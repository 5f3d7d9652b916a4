package procfs

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fdinfo implements proc_pid_fdinfo(5). Lines not named here are dropped. The files of an
// epoll set come in order of descriptors: the kernel's order is that of addresses of its
// own (ep_cmp_ffd).
func fdinfo(n *Normaliser, _ where, raw []byte, f Facts) ([]byte, bool) {
	var out []byte
	lines := splitLines(raw)
	slices.SortStableFunc(lines, func(a, b []byte) int { return epollFD(a) - epollFD(b) })
	for _, l := range lines {
		key, _, _ := bytes.Cut(l, []byte(":"))
		line, k := string(l), strings.TrimSpace(string(key))
		ok := true
		switch {
		case k == "pos", k == "flags", k == "eventfd-count", k == "sigmask",
			k == "Pid", k == "NSpid", k == "clockid", k == "settime flags", k == "tty-index":
		case k == "mnt_id":
			line = "mnt_id:\t" + strconv.Itoa(MountID(f.FDDev))
		case k == "ino":
			line = "ino:\t" + strconv.FormatUint(f.FDIno, 10)
		case k == "scm_fds":
			line = "scm_fds: 0"
		case k == "ticks":
			line = "ticks: 0"
		case k == "it_value", k == "it_interval":
			line = k + ": (0, 0)" // the timer runs on the logical clock, not on the kernel's
		case k == "tfd", strings.HasPrefix(k, "tfd"):
			line, ok = n.rewriteIDs(line)
		case strings.HasPrefix(k, "inotify wd"):
			line, _, _ = strings.Cut(line, " fhandle-bytes:")
			line, ok = n.rewriteIDs(line)
		case k == "lock":
			line, ok = n.lock(line)
		default:
			continue
		}
		if !ok {
			return nil, false
		}
		out = append(append(out, line...), '\n')
	}
	return out, true
}

// epollFD is the descriptor in a line about a file of an epoll set, which are the last, or
// -1 in another line.
func epollFD(line []byte) int {
	rest, ok := bytes.CutPrefix(line, []byte("tfd:"))
	if f := bytes.Fields(rest); ok && len(f) > 0 {
		if n, err := strconv.Atoi(string(f[0])); err == nil {
			return max(n, 0)
		}
	}
	return -1
}

// rewriteIDs maps the words "ino:HEX" and "sdev:HEX" of a line. sdev is the
// kernel's own dev_t: 20 bits of minor number below the major number.
func (n *Normaliser) rewriteIDs(line string) (string, bool) {
	words := strings.Split(line, " ")
	var ino, dev uint64
	var inoAt, devAt = -1, -1
	for i, w := range words {
		var err error
		if v, ok := strings.CutPrefix(w, "ino:"); ok {
			ino, err = strconv.ParseUint(v, 16, 64)
			inoAt = i
		} else if v, ok := strings.CutPrefix(w, "sdev:"); ok {
			dev, err = strconv.ParseUint(v, 16, 32)
			devAt = i
		}
		if err != nil {
			return "", false
		}
	}
	if inoAt < 0 || devAt < 0 {
		return line, true // an epoll line of a kernel before 3.15
	}
	dev, ino = n.ids(unix.Mkdev(uint32(dev>>20), uint32(dev&(1<<20-1))), ino)
	words[inoAt] = "ino:" + strconv.FormatUint(ino, 16)
	words[devAt] = "sdev:" + strconv.FormatUint(uint64(unix.Major(dev))<<20|uint64(unix.Minor(dev)), 16)
	return strings.Join(words, " "), true
}

// lock maps the file in a line such as
// "lock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF" (proc_locks(5)).
// The inode number is decimal there.
func (n *Normaliser) lock(line string) (string, bool) {
	words := strings.Split(line, " ")
	for i, w := range words {
		p := strings.Split(w, ":")
		if len(p) != 3 {
			continue
		}
		major, e1 := strconv.ParseUint(p[0], 16, 32)
		minor, e2 := strconv.ParseUint(p[1], 16, 32)
		ino, e3 := strconv.ParseUint(p[2], 10, 64)
		if e1 != nil || e2 != nil || e3 != nil {
			continue // "lock:\t1:"
		}
		dev, ino := n.ids(unix.Mkdev(uint32(major), uint32(minor)), ino)
		b := appendHex(nil, uint64(unix.Major(dev)), 2, ":")
		b = appendHex(b, uint64(unix.Minor(dev)), 2, ":")
		words[i] = string(strconv.AppendUint(b, ino, 10))
		return strings.Join(words, " "), true
	}
	return "", false
}
