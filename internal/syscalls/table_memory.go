package syscalls

import "golang.org/x/sys/unix"

const (
	noteFast = " A range below 2 MiB stops: the guest's fast paths may be there, and are given up first."
	noteLock = "Limits are fixed; whether pages are resident cannot be seen by the guest (eliminated)."
	noteNUMA = "The machine that is shown has one node: refused as by a kernel without CONFIG_NUMA (eliminated)."
	notePkey = "Whether the CPU has protection keys must not show: answered as by one without (eliminated)."
)

// mremapFixed is MREMAP_FIXED of linux/mman.h.
const mremapFixed = 2

// fastPaths holds for an address argument below 2 MiB, where the region of
// package fastpath is: a range from there on may touch it.
func fastPaths(arg int) Cond { return Cond{arg, ^uint64(2<<20 - 1), 0} }

// rowsMemory are the address space and its hints. Addresses are a function of
// past calls: randomisation is off (personality(2), ADDR_NO_RANDOMIZE).
func rowsMemory() []Row {
	return []Row{
		// Stops for all but small private mappings: low bits of flags are the
		// type (MAP_PRIVATE is 2), 0x40000 is MAP_HUGETLB, and 4 GiB or more
		// is where the host's overcommit policy begins to matter.
		native(9, "mmap", "Addresses follow from past calls, without randomisation. Shared mappings stop: a file's mtime is set when the mapping is made and goes, not when the kernel writes the page. Mappings of 4 GiB and more stop: they would fail by the size of the host's memory, so they fail by that of the guest's (ENOMEM) and are made with MAP_NORESERVE. MAP_HUGETLB gets ENOMEM, as where no huge pages are set aside; MAP_DROPPABLE, which depends on the host's memory, EINVAL. Executable mappings stop without being an event: instructions in them that look at the CPU are replaced."+noteFast).
			only(Filter{Trace, []Rule{
				{[]Cond{fastPaths(0), {3, unix.MAP_FIXED, unix.MAP_FIXED}}, Trace},
				// Text: instructions in it that look at the CPU are replaced.
				{[]Cond{{2, unix.PROT_EXEC, unix.PROT_EXEC}, {3, 0x4002f, unix.MAP_PRIVATE}}, Look},
				{[]Cond{{2, unix.PROT_EXEC | unix.PROT_WRITE, unix.PROT_EXEC | unix.PROT_WRITE}, {3, 0x4002f, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS}, {1, ^uint64(low32), 0}}, Look},
				{[]Cond{{3, 0x4000f, unix.MAP_PRIVATE}, {1, ^uint64(low32), 0}}, Allow},
			}}, true),
		native(10, "mprotect", "The process's own pages. What makes memory executable stops without being an event: code that the guest made may look at the CPU, which is reported."+noteFast).
			only(Filter{Allow, []Rule{
				{[]Cond{fastPaths(0)}, Trace},
				{[]Cond{{2, unix.PROT_EXEC, unix.PROT_EXEC}}, Look},
			}}, true),
		native(11, "munmap", "The process's own pages."+noteFast).only(traceIf(fastPaths(0)), true),
		// The heap lies behind a program at 0x400000 or at 0x555555554000
		// (ELF_ET_DYN_BASE): below 4 GiB, or 3 GiB of heap, nothing stops.
		native(12, "brk", "The heap starts at an address that is not randomised. A heap of several GiB stops: it fails by the guest's memory, see mmap(2).").
			only(Filter{Trace, []Rule{{[]Cond{{0, ^uint64(low32), 0}}, Allow}, {[]Cond{{0, ^uint64(low32), 0x5555 << 32}}, Allow}}}, true),
		native(25, "mremap", "As mmap(2): growing to 4 GiB and more stops."+noteFast).
			only(Filter{Trace, []Rule{
				{[]Cond{fastPaths(0)}, Trace},
				{[]Cond{fastPaths(4), {3, mremapFixed, mremapFixed}}, Trace},
				{[]Cond{{2, ^uint64(low32), 0}}, Allow},
			}}, true),
		native(26, "msync", "Reaches our file system's server; mtime does not depend on it."),
		native(216, "remap_file_pages", "As mmap(2); obsolete."),
		emulate(27, "mincore", "The state of the page cache: every mapped page is said to be resident (eliminated); msync(2) is asked whether all are mapped."),
		adjust(28, "madvise", "Hints that the kernel must obey exactly go through. MADV_FREE would drop pages when the host is short of memory, so it becomes MADV_DONTNEED; MADV_COLD and MADV_PAGEOUT, which the kernel follows as it likes, succeed without effect; MADV_REMOVE and MADV_DONTFORK spare the fast paths; what depends on how the host's kernel was built (huge pages, merging, soft-offline, guards) is answered with EINVAL (normalised).").
			withErrno(unix.EINVAL).only(allowValues(2, unix.MADV_NORMAL, unix.MADV_RANDOM, unix.MADV_SEQUENTIAL, unix.MADV_WILLNEED,
			unix.MADV_DONTNEED, unix.MADV_DOFORK, unix.MADV_DONTDUMP, unix.MADV_DODUMP, unix.MADV_WIPEONFORK, unix.MADV_KEEPONFORK, unix.MADV_POPULATE_READ, unix.MADV_POPULATE_WRITE, unix.MADV_DONTNEED_LOCKED), false),
		refuse(440, "process_madvise", unix.ENOSYS, "Hints about another process's memory; callers do without."),
		native(149, "mlock", noteLock),
		native(325, "mlock2", noteLock),
		native(150, "munlock", noteLock),
		native(151, "mlockall", noteLock),
		native(152, "munlockall", noteLock),
		native(319, "memfd_create", "An anonymous file; its inode number is hidden by fstat. MFD_HUGETLB depends on the host's huge pages: EINVAL, as by a kernel without them.").
			only(traceIf(Cond{1, unix.MFD_HUGETLB, unix.MFD_HUGETLB}), true),
		refuse(447, "memfd_secret", unix.ENOSYS, "Off by default on most kernels: refused on all (eliminated)."),
		refuse(329, "pkey_mprotect", unix.EINVAL, notePkey+" With key -1 it is mprotect(2).").
			only(allowIf(Cond{3, low32, low32}), true),
		refuse(330, "pkey_alloc", unix.ENOSPC, notePkey),
		refuse(331, "pkey_free", unix.EINVAL, notePkey),
		refuse(453, "map_shadow_stack", unix.ENOSYS, "Depends on the CPU: refused as on one without shadow stacks (eliminated)."),
		refuse(462, "mseal", unix.ENOSYS, "Optional hardening, not on every kernel: the same answer on all (eliminated)."),
		refuse(323, "userfaultfd", unix.ENOSYS, "Page faults served by another thread, at the kernel's moment: refused as by a kernel without CONFIG_USERFAULTFD."),
		refuse(237, "mbind", unix.ENOSYS, noteNUMA),
		refuse(238, "set_mempolicy", unix.ENOSYS, noteNUMA),
		refuse(239, "get_mempolicy", unix.ENOSYS, noteNUMA),
		refuse(256, "migrate_pages", unix.ENOSYS, noteNUMA),
		refuse(279, "move_pages", unix.ENOSYS, noteNUMA),
		refuse(450, "set_mempolicy_home_node", unix.ENOSYS, noteNUMA),
		refuse(448, "process_mrelease", unix.ENOSYS, "Frees the memory of a dying process early, which can be seen only on the host."),
	}
}
