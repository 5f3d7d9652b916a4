// Package sandbox makes the container: namespaces, mounts, ids, limits and
// the first two processes. It knows nothing of determinism policy.
//
// Start runs the program of package initproc as pid 1 of new namespaces. Before it
// forks pid 2 and parks both, it is the stage: it makes a list of system calls
// (package initproc's Script), which mount the guest's tree, leave the host's
// behind and drop what the guest must not have.
//
// Invariants: the container lives no longer than the supervisor's end of the
// control socket; when Start returns, the guest can reach no file, process or
// descriptor of the host but its stdio; guest root has no capability outside
// its user namespace and few inside; nothing is left on the host but, after a
// SIGKILL, an empty cgroup, which the next run removes.
package sandbox

import "os"

// Config describes a container.
type Config struct {
	Hostname, Domainname string
	UID, GID             uint32 // ids of the guest's first process
	Groups               []uint32
	Cwd                  string // tried after pivot_root(2); error if missing
	ASLR                 bool   // randomise addresses
	Network              bool   // share the host's network namespace
	// BindProc lists files and directories below /proc over which the entry
	// of the same name below the FUSE root's "proc" tree is bound (e.g.
	// "cpuinfo", "sys"). Entries that the kernel's procfs does not have are skipped.
	BindProc []string
	// KeepProc lists files below a directory of BindProc that stay procfs's.
	KeepProc []string
	Rlimits  []Rlimit
	Umask    int // 0: 022
	FirstPid int // number of the guest's first process; 0: 2
	// Shared, if not empty, is a path below /sys that the root file system
	// has there: over it goes a file in memory of SharedSize bytes, which every
	// user of the container may read and write; Sandbox.Shared is ours.
	Shared     string
	SharedSize int64
	MemoryMax  int64 // bytes, cgroup limit where one can be made; 0 none
	PidsMax    int64

	Stdin, Stdout, Stderr *os.File // become the guest's 0, 1, 2

	// Serve is called with the /dev/fuse descriptor as soon as the file
	// system is mounted and before anything below it is touched. The file is
	// closed when it returns, so it must have passed the descriptor on.
	Serve func(fuse *os.File) error
}

// Rlimit is one resource limit of the guest (RLIMIT_* number, soft, hard).
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

// IDMode says how ids map.
type IDMode int

// The id modes, from strongest to weakest.
const (
	IDsAll    IDMode = iota // 65536 guest ids mapped (root, or subordinate ids through newuidmap)
	IDsSingle               // guest uid 0 and gid 0 only
)
