package kernel

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// Which mappings stop says the row of mmap(2): shared ones, large ones and
// those with flags that depend on the host's memory.
//
// How much a guest can map must not depend on the host. Linux refuses what is
// obviously more than memory and swap (vm.overcommit_memory 0, mm/util.c,
// __vm_enough_memory), so we refuse by the memory that the guest was told it
// has, and take the host's opinion out with MAP_NORESERVE. That leaves hosts
// with less than largeMapping of memory, and those that never overcommit.

// largeMapping is the size in bytes from which a mapping stops.
const largeMapping = 4 << 30

const mapDroppable = 8 // MAP_DROPPABLE, Linux 6.11; x/sys has it not

// mmap(2): of files only those of our tree and memory.
func sysMmap(k *Kernel, t *Task) verdict {
	length, prot, flags := t.arg(1), t.arg(2), t.arg(3)
	const noReplace = 0x100000 // MAP_FIXED_NOREPLACE
	if flags&(unix.MAP_FIXED|noReplace) == unix.MAP_FIXED && !k.vacate(t, t.arg(0), length) {
		return t.fail(unix.ENOMEM)
	}
	switch {
	case flags&unix.MAP_HUGETLB != 0:
		// As by a machine that has set no huge pages aside.
		return t.fail(unix.ENOMEM)
	case flags&0xf == mapDroppable:
		// Pages vanish when the host is short of memory.
		k.refuse(t, "mmap of MAP_DROPPABLE memory", unix.EINVAL)
		return t.fail(unix.EINVAL)
	}
	if flags&unix.MAP_ANONYMOUS == 0 {
		f := k.file(t, t.intArg(4))
		defer f.close()
		if f.class == fdTree && prot&unix.PROT_WRITE != 0 && flags&0xf != unix.MAP_PRIVATE {
			k.touchMapped(&f)
		}
		switch f.class {
		case fdBad, fdTree, fdMem, fdNull:
		default:
			k.refuse(t, "mmap of "+f.describe(), unix.ENODEV)
			return t.fail(unix.ENODEV)
		}
		if prot&unix.PROT_EXEC != 0 && length < largeMapping {
			if f.class == fdTree {
				return k.mapText(t, &f)
			}
			if f.class == fdMem {
				k.codeMade(t)
			}
		}
	} else if prot&unix.PROT_WRITE != 0 && prot&unix.PROT_EXEC != 0 {
		if flags&0xf == unix.MAP_PRIVATE && length < largeMapping {
			return k.watchCode(t)
		}
		k.codeMade(t)
	}
	if length < largeMapping || length > stackTop {
		return pass
	}
	shared := flags&0xf != unix.MAP_PRIVATE
	if flags&unix.MAP_NORESERVE != 0 || shared && flags&unix.MAP_ANONYMOUS == 0 {
		return pass
	}
	if (prot&unix.PROT_WRITE != 0 || shared) && length > k.cfg.Machine.MemTotal {
		return t.fail(unix.ENOMEM)
	}
	// Also what is not writable yet: mprotect(2) would be accounted then.
	entry := t.regs
	t.setArg(3, flags|unix.MAP_NORESERVE)
	t.rewrite()
	t.onExit = func(t *Task) {
		t.regs = withResult(t.regs, &entry, t.result())
		t.rewrite()
	}
	return toExit
}

// touchMapped sets the times of a file that is about to be mapped for writing.
// Linux sets them at the first store into each page after a write-back
// (file_update_time in fault handlers): a moment of the host's.
func (k *Kernel) touchMapped(f *file) {
	if k.cfg.TouchIno == nil || !f.writable() {
		return
	}
	if ino := fdinfoNumber(f.fd, "ino:\t"); ino != 0 {
		_ = k.cfg.TouchIno(ino) // gone meanwhile: nobody can see its times
	}
}

// mprotect(2): memory becomes executable into which the guest may have written code.
func sysMprotect(k *Kernel, t *Task) verdict {
	if t.arg(2)&unix.PROT_EXEC != 0 {
		k.codeMade(t)
	}
	return sysMunmap(k, t)
}

// munmap(2), and mprotect(2), of what may be the region of the fast paths.
func sysMunmap(k *Kernel, t *Task) verdict {
	if !k.vacate(t, t.arg(0), t.arg(1)) {
		return t.fail(unix.ENOMEM)
	}
	return pass
}

// mremap(2) to a large size. A mapping keeps its own MAP_NORESERVE.
func sysMremap(k *Kernel, t *Task) verdict {
	if !k.vacate(t, t.arg(0), t.arg(1)) || t.arg(3)&unix.MREMAP_FIXED != 0 && !k.vacate(t, t.arg(4), t.arg(2)) {
		return t.fail(unix.ENOMEM)
	}
	if t.arg(2) > k.cfg.Machine.MemTotal && t.arg(2) <= stackTop && t.arg(2) > t.arg(1) {
		return t.fail(unix.ENOMEM)
	}
	return pass
}

// brk(2) of a large heap; the result is where the break then is, so a refusal
// is a question for that.
func sysBrk(k *Kernel, t *Task) verdict {
	const pieBase = 0x555555554000 // ELF_ET_DYN_BASE, where heaps of PIE programs begin
	size := t.arg(0)
	switch start, ok := uint64(0), k.cfg.Open.ASLR; {
	case ok:
		if start, ok = heapStart(t.tid); ok && size >= start {
			size -= start
		}
	case size >= pieBase:
		size -= pieBase
	}
	if size <= k.cfg.Machine.MemTotal || size > stackTop {
		return pass
	}
	entry := t.regs
	t.setArg(0, 0)
	t.rewrite()
	t.onExit = func(t *Task) {
		t.regs = withResult(t.regs, &entry, t.result())
		t.rewrite()
	}
	return toExit
}

// memfd_create(2) stops for huge pages only: as a kernel without hugetlbfs.
func sysMemfdCreate(_ *Kernel, t *Task) verdict { return t.fail(unix.EINVAL) }

// heapStart is where the heap of a thread's process begins: start_brk, field 47
// of proc_pid_stat(5), counted from the state, which follows the name's end.
func heapStart(tid int) (uint64, bool) {
	b, err := readProc("/proc/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return 0, false
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const state, startBrk = 3, 47
	if len(f) <= startBrk-state {
		return 0, false
	}
	n, err := strconv.ParseUint(string(f[startBrk-state]), 10, 64)
	return n, err == nil && n != 0
}
