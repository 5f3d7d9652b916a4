package procfs

import "strings"

// Dirent reports whether name may be shown in a listing of directory dir,
// both relative to the root of procfs ("" is the root).
func (n *Normaliser) Dirent(dir, name string) bool {
	dir = strings.Trim(dir, "/")
	if dir == "." {
		dir = ""
	}
	if dir == "" {
		return isNumber(name) || inRoot(name)
	}
	if dir == "sysvipc" {
		return lookup(n.root, dir+"/"+name).render != nil
	}
	w, ok := locate(dir)
	if !ok || w.pid == "" {
		return false
	}
	switch w.name {
	case "":
		return name == "task" && !w.task || processEntry(name) ||
			lookup(n.process, name).render != nil
	case "task":
		return !w.task && isNumber(name)
	case "fd", "fdinfo":
		return isNumber(name)
	case "ns":
		for _, ns := range namespaces() {
			if ns.kind == name {
				return true
			}
		}
	case "net":
		_, ok := netFile(name)
		return ok
	}
	return false
}

func inRoot(name string) bool {
	switch name {
	case "self", "thread-self", "mounts", "net", "sysvipc", "uptime":
		return true
	}
	for _, b := range ProcBind() {
		if b == name {
			return true
		}
	}
	return false
}

// processEntry are the directories and links of a process.
func processEntry(name string) bool {
	switch name {
	case "cwd", "exe", "root", "fd", "fdinfo", "ns", "net":
		return true
	}
	return false
}
