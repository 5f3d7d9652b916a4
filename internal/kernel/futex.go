package kernel

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
)

// futexKey names a futex: a word of one address space, or of a shared object.
type futexKey struct {
	mm   *mmID
	obj  string // "dev:ino" of a shared mapping
	addr uint64 // address, or offset in the object
}

// futexWaiter is a parked FUTEX_WAIT.
type futexWaiter struct {
	key    futexKey
	task   *Task
	bitset uint32
	woken  bool
	queued bool
}

// futexTable is the wait queues of all futexes, first come first served. The
// kernel's own queues stay empty.
type futexTable struct {
	q map[futexKey][]*futexWaiter
}

func (f *futexTable) init() { f.q = map[futexKey][]*futexWaiter{} }

func (f *futexTable) add(w *futexWaiter) {
	w.queued = true
	f.q[w.key] = append(f.q[w.key], w)
}

func (f *futexTable) drop(w *futexWaiter) {
	if !w.queued {
		return
	}
	w.queued = false
	if l := without(f.q[w.key], w); len(l) > 0 {
		f.q[w.key] = l
	} else {
		delete(f.q, w.key)
	}
}

// wake wakes up to n waiters whose bit set meets bits, oldest first.
func (k *Kernel) futexWake(key futexKey, n int, bits uint32) int {
	done := 0
	for _, w := range append([]*futexWaiter(nil), k.futexes.q[key]...) {
		if done >= n {
			break
		}
		if w.bitset&bits == 0 {
			continue
		}
		k.futexes.drop(w)
		w.woken = true
		k.sched.Wake(w.task.th)
		done++
	}
	return done
}

// requeue moves up to n waiters to another futex.
func (k *Kernel) futexRequeue(from, to futexKey, n int) int {
	done := 0
	for _, w := range append([]*futexWaiter(nil), k.futexes.q[from]...) {
		if done >= n {
			break
		}
		k.futexes.drop(w)
		w.key = to
		k.futexes.add(w)
		done++
	}
	return done
}

// futexKey finds what the word at addr belongs to. A private futex is known
// by its address space; otherwise the mapping decides (futex(2)).
func (k *Kernel) futexKey(t *Task, addr uint64, private bool) futexKey {
	key := futexKey{mm: t.proc.mm, addr: addr}
	if private {
		return key
	}
	f, err := os.Open("/proc/" + strconv.Itoa(t.proc.pid) + "/maps")
	if err != nil {
		return key
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		// 7f0000-7f1000 rw-s 00001000 00:01 1234 /path
		fs := bytes.Fields(sc.Bytes())
		if len(fs) < 5 {
			continue
		}
		lo, hi, ok := strings.Cut(string(fs[0]), "-")
		a, _ := strconv.ParseUint(lo, 16, 64)
		b, _ := strconv.ParseUint(hi, 16, 64)
		if !ok || addr < a || addr >= b {
			continue
		}
		if len(fs[1]) == 4 && fs[1][3] == 's' {
			off, _ := strconv.ParseUint(string(fs[2]), 16, 64)
			obj := string(fs[3]) + ":" + string(fs[4])
			if len(fs) > 5 && bytes.HasPrefix(fs[5], []byte("/SYSV")) {
				obj += " shm" // its number is the segment's id, which another file may have too
			}
			return futexKey{obj: obj, addr: addr - a + off}
		}
		return key
	}
	return key
}

// clearChildTID does for waiters what the kernel does at a thread's end: it
// has cleared the word and woken its own (empty) queue; ours is here
// (set_tid_address(2)).
func (k *Kernel) clearChildTID(t *Task) {
	if t.clearTID == 0 || len(k.futexes.q) == 0 {
		return
	}
	k.futexWake(futexKey{mm: t.proc.mm, addr: t.clearTID}, 1, ^uint32(0))
}
