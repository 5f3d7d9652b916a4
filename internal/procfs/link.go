package procfs

import (
	"strconv"
	"strings"
)

// namespaces are the inode numbers of the initial namespaces
// (include/uapi/linux/nsfs.h since Linux 6.17; the same for years before).
func namespaces() []struct {
	kind string
	ino  uint64
} {
	return []struct {
		kind string
		ino  uint64
	}{
		{"cgroup", 4026531835},
		{"ipc", 4026531839},
		{"mnt", 4026531841},
		{"net", 4026531840},
		{"pid", 4026531836},
		{"pid_for_children", 4026531836},
		{"time", 4026531834},
		{"time_for_children", 4026531834},
		{"user", 4026531837},
		{"uts", 4026531838},
	}
}

// NamespaceIno is the inode number of a kind of namespace ("pid"), or 0.
func NamespaceIno(kind string) uint64 {
	for _, ns := range namespaces() {
		if ns.kind == kind {
			return ns.ino
		}
	}
	return 0
}

// NamespaceKinds are the names in /proc/PID/ns.
func NamespaceKinds() []string {
	var out []string
	for _, ns := range namespaces() {
		out = append(out, ns.kind)
	}
	return out
}

// Readlink rewrites the target of a magic link of procfs: the number in
// "pipe:[4711]" or "socket:[4711]" goes through inode, namespaces show the
// numbers of the initial ones, and the program of pid 1, which is ours, has a
// usual name. All other targets are paths or constant.
func Readlink(target string, inode func(kind string, ino uint64) uint64) string {
	if target == "/memfd:init (deleted)" {
		return "/sbin/init"
	}
	kind, rest, ok := strings.Cut(target, ":[")
	if !ok || !strings.HasSuffix(rest, "]") || strings.ContainsRune(kind, '/') {
		return target
	}
	ino, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	if err != nil {
		return target // "anon_inode:[eventfd]"
	}
	if ns := NamespaceIno(kind); ns != 0 {
		return kind + ":[" + strconv.FormatUint(ns, 10) + "]"
	}
	return kind + ":[" + strconv.FormatUint(inode(kind, ino), 10) + "]"
}
