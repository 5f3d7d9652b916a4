package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	idCount = 65536 // guest ids in IDsAll
	// hostBase is where root maps the guest's ids: a range that no
	// distribution assigns, so guest root is nobody on the host.
	hostBase = 0x70000000
)

// idPlan is how the guest's ids map to the host's.
type idPlan struct {
	uid, gid []syscall.SysProcIDMap
	helpers  bool // write the maps with newuidmap(1) and newgidmap(1)
}

// DetectIDs tells which id mode this caller can get.
func DetectIDs() IDMode {
	if _, ok := planAll(); ok {
		return IDsAll
	}
	return IDsSingle
}

// plan is the id mapping of a mode.
func plan(mode IDMode) (idPlan, error) {
	if mode == IDsAll {
		if p, ok := planAll(); ok {
			return p, nil
		}
		return idPlan{}, &Error{Step: "map ids", Detail: "no 65536 ids to map",
			Advice: "give the user subordinate ids (usermod --add-subuids, --add-subgids) and install newuidmap"}
	}
	one := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	}
	return idPlan{uid: one(os.Geteuid()), gid: one(os.Getegid())}, nil
}

// planAll is asked for twice in a run; what it looks at does not change.
var planAll = sync.OnceValues(func() (idPlan, bool) {
	if canMapAny() {
		u, okU := window("/proc/self/uid_map")
		g, okG := window("/proc/self/gid_map")
		if okU && okG {
			return idPlan{uid: idRange(u), gid: idRange(g)}, true
		}
	}
	return planHelpers()
})

func idRange(host int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: host, Size: idCount}}
}

// canMapAny reports whether we may map ids that are not ours
// (user_namespaces(7): CAP_SETUID and CAP_SETGID in the parent namespace).
func canMapAny() bool {
	caps, err := effectiveCaps()
	const want = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	return err == nil && caps&want == want
}

// window picks idCount ids that our own user namespace has: hostBase where it
// can, else the highest ones.
func window(file string) (int, bool) {
	b, err := readSmall(file)
	if err != nil {
		return 0, false
	}
	return windowOf(string(b))
}

// readSmall is os.ReadFile without what a file of /proc does not need: it is read
// four times for each run.
func readSmall(file string) ([]byte, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 512)
	for {
		b = slices.Grow(b, 512)
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if n <= 0 || err != nil {
			return b, err
		}
		b = b[:len(b)+n]
	}
}

func windowOf(idMap string) (int, bool) {
	best, ok := 0, false
	for line := range strings.Lines(idMap) {
		f := strings.Fields(line) // inside, outside, length
		if len(f) < 3 {
			continue
		}
		inside, err1 := strconv.Atoi(f[0])
		n, err2 := strconv.Atoi(f[2])
		if err1 != nil || err2 != nil || n < idCount {
			continue
		}
		if inside <= hostBase && hostBase+idCount <= inside+n {
			return hostBase, true
		}
		if top := inside + n - idCount; !ok || top > best {
			best, ok = top, true
		}
	}
	return best, ok
}

// planHelpers uses the subordinate ids of an unprivileged user.
func planHelpers() (idPlan, bool) {
	for _, tool := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(tool); err != nil {
			return idPlan{}, false
		}
	}
	id := strconv.Itoa(os.Getuid())
	name := id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	u, okU := subordinate("/etc/subuid", name, id)
	g, okG := subordinate("/etc/subgid", name, id)
	if !okU || !okG {
		return idPlan{}, false
	}
	return idPlan{uid: selfAnd(os.Geteuid(), u), gid: selfAnd(os.Getegid(), g), helpers: true}, true
}

// selfAnd maps guest id 0 to the caller's and the others to subordinate ones:
// proc_pid(5) files of a guest with a foreign id would be closed to an
// unprivileged supervisor.
func selfAnd(self, sub int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{
		{ContainerID: 0, HostID: self, Size: 1},
		{ContainerID: 1, HostID: sub, Size: idCount - 1},
	}
}

// subordinate finds the user's range in a file of subuid(5).
func subordinate(file, name, id string) (int, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	return subordinateOf(string(b), name, id)
}

// subordinateOf finds the first range that is wide enough.
func subordinateOf(text, name, id string) (int, bool) {
	for line := range strings.Lines(text) {
		part := strings.Split(strings.TrimSpace(line), ":")
		if len(part) != 3 || part[0] != name && part[0] != id {
			continue
		}
		base, err1 := strconv.Atoi(part[1])
		n, err2 := strconv.Atoi(part[2])
		if err1 == nil && err2 == nil && base > 0 && n >= idCount-1 {
			return base, true
		}
	}
	return 0, false
}

// write gives process pid its ids (user_namespaces(7)).
func (p idPlan) write(pid int) error {
	if p.helpers {
		return p.runHelpers(pid)
	}
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	text := func(maps []syscall.SysProcIDMap) (s string) {
		for _, m := range maps {
			s += fmt.Sprintln(m.ContainerID, m.HostID, m.Size)
		}
		return s
	}
	files := [][2]string{{"uid_map", text(p.uid)}, {"gid_map", text(p.gid)}}
	if p.uid[0].Size == 1 { // who has no power over groups must give it up first
		files = slices.Insert(files, 1, [2]string{"setgroups", "deny"})
	}
	for _, f := range files {
		fd, err := unix.Open(dir+f[0], unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte(f[1]))
			unix.Close(fd)
		}
		if err != nil {
			return stepError("write "+f[0], err, cloneHint(err))
		}
	}
	return nil
}

// runHelpers writes the maps of process pid with the set-id helpers.
func (p idPlan) runHelpers(pid int) error {
	for _, h := range []struct {
		tool string
		maps []syscall.SysProcIDMap
	}{{"newuidmap", p.uid}, {"newgidmap", p.gid}} {
		args := []string{strconv.Itoa(pid)}
		for _, m := range h.maps {
			args = append(args, strconv.Itoa(m.ContainerID), strconv.Itoa(m.HostID), strconv.Itoa(m.Size))
		}
		out, err := exec.Command(h.tool, args...).CombinedOutput()
		if err != nil {
			return &Error{Step: h.tool, Detail: strings.TrimSpace(string(out)) + ": " + err.Error(),
				Advice: "check /etc/subuid and /etc/subgid, and that " + h.tool + " is set-user-id root"}
		}
	}
	return nil
}
