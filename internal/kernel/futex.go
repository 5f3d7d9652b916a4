package kernel

import (
	"bufio"
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// futexKey names a futex: a word of one address space, or of a shared object.
type futexKey struct {
	mm   *mmID
	obj  string // "dev:ino" of a shared mapping
	addr uint64 // address, or offset in the object
	// public: named without FUTEX_PRIVATE_FLAG, which the same word of private
	// memory with the flag is not (FUT_OFF_MMSHARED in linux/futex.h).
	public bool
}

// futexWaiter is a parked call that waits for a futex.
type futexWaiter struct {
	key    futexKey
	task   *Task
	addr   uint64 // of the word in task's memory
	val    uint32 // what the word was when the wait began
	bitset uint32
	woken  bool
	queued bool

	pi *piState // waits for this lock
	// requeuePI is the lock that a FUTEX_WAIT_REQUEUE_PI is to be moved to.
	requeuePI *futexPlace
}

// futexPlace is a futex and where a waiter's task has it.
type futexPlace struct {
	key  futexKey
	addr uint64
}

// futexTable is the wait queues of all futexes, first come first served. The
// kernel's own queues stay empty.
type futexTable struct {
	q   map[futexKey][]*futexWaiter
	pis []*piState // locks that somebody waits for, oldest first

	changes uint64 // how often somebody came or went
}

func (f *futexTable) init() { f.q = map[futexKey][]*futexWaiter{} }

func (f *futexTable) add(w *futexWaiter) {
	w.queued = true
	f.changes++
	f.q[w.key] = append(f.q[w.key], w)
	if w.pi != nil {
		w.pi.waiters++
		if w.pi.waiters == 1 {
			f.pis = append(f.pis, w.pi)
		}
	}
}

func (f *futexTable) drop(w *futexWaiter) {
	if !w.queued {
		return
	}
	w.queued = false
	f.changes++
	if l := without(f.q[w.key], w); len(l) > 0 {
		f.q[w.key] = l
	} else {
		delete(f.q, w.key)
	}
	if w.pi != nil {
		w.pi.waiters--
		if w.pi.waiters == 0 {
			f.pis = without(f.pis, w.pi)
		}
	}
}

// top is who waits longest for key, or nil.
func (f *futexTable) top(key futexKey) *futexWaiter {
	if l := f.q[key]; len(l) > 0 {
		return l[0]
	}
	return nil
}

// wake ends w's wait successfully.
func (k *Kernel) wakeWaiter(w *futexWaiter) {
	k.futexes.drop(w)
	w.woken = true
	k.sched.Wake(w.task.th)
}

// futexWake wakes up to n waiters whose bit set meets bits, oldest first. Locks
// with priority inheritance are not woken but handed over: EINVAL.
func (k *Kernel) futexWake(key futexKey, n int, bits uint32) (int, unix.Errno) {
	done := 0
	for _, w := range slices.Clone(k.futexes.q[key]) {
		if done >= n {
			break
		}
		if w.pi != nil || w.requeuePI != nil {
			return 0, unix.EINVAL
		}
		if w.bitset&bits == 0 {
			continue
		}
		k.wakeWaiter(w)
		done++
	}
	return done, 0
}

// futexRequeue wakes up to wake waiters and moves up to move others to another
// futex.
func (k *Kernel) futexRequeue(from, to futexKey, wake, move int) (int, unix.Errno) {
	done := 0
	for _, w := range slices.Clone(k.futexes.q[from]) {
		if done-wake >= move {
			break
		}
		if w.pi != nil || w.requeuePI != nil {
			return 0, unix.EINVAL
		}
		done++
		switch {
		case done <= wake:
			k.wakeWaiter(w)
		case from != to: // else it keeps its place
			k.futexes.drop(w)
			w.key = to
			k.futexes.add(w)
		}
	}
	return done, 0
}

// userEnd is where a guest's addresses end (TASK_SIZE_MAX).
const userEnd = 1<<47 - 4096

// futexKey finds what the word at addr belongs to. A private futex is known
// by its address space; otherwise the mapping decides (futex(2)), which must
// be there, and be writable if the call writes (get_futex_key).
func (k *Kernel) futexKey(t *Task, addr uint64, private, write bool) (futexKey, unix.Errno) {
	key := futexKey{mm: t.proc.mm, addr: addr}
	switch {
	case addr&3 != 0:
		return key, unix.EINVAL
	case addr >= userEnd:
		return key, unix.EFAULT
	case private:
		return key, 0
	}
	key.public = true
	f, err := os.Open("/proc/" + strconv.Itoa(t.proc.pid) + "/maps")
	if err != nil {
		return key, 0
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		// 7f0000-7f1000 rw-s 00001000 00:01 1234 /path
		fs := bytes.Fields(sc.Bytes())
		if len(fs) < 5 || len(fs[1]) != 4 {
			continue
		}
		lo, hi, ok := strings.Cut(string(fs[0]), "-")
		a, _ := strconv.ParseUint(lo, 16, 64)
		b, _ := strconv.ParseUint(hi, 16, 64)
		if !ok || addr < a || addr >= b {
			continue
		}
		shared := fs[1][3] == 's'
		// Of private memory the page must be the process's own, so writable.
		if fs[1][0] != 'r' || fs[1][1] != 'w' && (write || !shared && string(fs[4]) == "0") {
			return key, unix.EFAULT
		}
		if !shared {
			return key, 0
		}
		off, _ := strconv.ParseUint(string(fs[2]), 16, 64)
		obj := string(fs[3]) + ":" + string(fs[4])
		if len(fs) > 5 && bytes.HasPrefix(fs[5], []byte("/SYSV")) {
			obj += " shm" // its number is the segment's id, which another file may have too
		}
		return futexKey{obj: obj, addr: addr - a + off, public: true}, 0
	}
	return key, unix.EFAULT
}
