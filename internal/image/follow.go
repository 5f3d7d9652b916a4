package image

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// leaves reports whether the target of link n leads out of its tree: it is
// absolute, or goes up more often than down. It goes by the text alone, so
// the answer does not depend on what is outside.
func leaves(n *lnode, target string) bool {
	if strings.HasPrefix(target, "/") {
		return true
	}
	depth := 0
	for d := n.parent; d != nil && d.anchor == ""; d = d.parent {
		depth++
	}
	for c := range strings.SplitSeq(target, "/") {
		switch c {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// follow turns link n, in the directory open as fd, into what it points to
// when it leads out of the tree to a file or directory. A link that dangles,
// or leads to a directory above itself (an endless tree), stays a link.
func (l *lazy) follow(n *lnode, fd int) error {
	target, err := readlinkat(fd, n.name)
	if err != nil {
		return l.gone(n, "readlink", err)
	}
	if !leaves(n, target) {
		return nil
	}
	to, err := unix.Openat(fd, n.name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // a link that leads nowhere; Readlink records it
	}
	defer unix.Close(to)
	var st unix.Stat_t
	if err := unix.Fstat(to, &st); err != nil {
		return &os.PathError{Op: "fstat", Path: n.hostPath(), Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR:
	default:
		return nil
	}
	for d := n.parent; d != nil; d = d.parent {
		if d.id == (fileID{st.Dev, st.Ino}) {
			return nil
		}
	}
	// proc_pid_fd(5): the name of the file without any symlink.
	anchor, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(to))
	if err != nil {
		return err
	}
	n.anchor = anchor
	n.fill(&st)
	return nil
}
