package kernel

import "slices"

// futexExit does for waiters what the kernel does at a thread's end or exec
// (futex_cleanup and mm_release in kernel/): it has changed the words and woken
// its own, empty queues; ours are here.
func (k *Kernel) futexExit(t *Task) {
	if len(k.futexes.q) == 0 {
		return
	}
	k.robustDeath()
	k.piOwnerDied(t)
	k.clearChildTID(t)
}

// clearChildTID wakes who waits for the word that the kernel cleared
// (set_tid_address(2)). The address that clone(2) got is known; another one
// shows in a word that had the thread's number and is 0 now.
func (k *Kernel) clearChildTID(t *Task) {
	if t.clearTID != 0 {
		if n, _ := k.futexWake(futexKey{mm: t.proc.mm, addr: t.clearTID, public: true}, 1, ^uint32(0)); n > 0 {
			return
		}
	}
	for _, o := range k.order {
		w := o.wait.futex
		if o == t || w == nil || !w.queued || !w.key.public || w.pi != nil || w.requeuePI != nil || w.val != uint32(t.vtid) {
			continue
		}
		if v, ok := o.readU32(w.addr); ok && v == 0 {
			k.futexWake(w.key, 1, ^uint32(0))
			return
		}
	}
}

// robustDeath wakes one waiter of each lock that a dead owner left. The kernel
// walked the owner's list (get_robust_list(2)), which is gone with the thread:
// what it did shows in the words. Who waits for such a lock has marked it
// (Documentation/locking/robust-futex-ABI.rst). A word of 0 is that of an owner
// that died between unlocking and waking.
func (k *Kernel) robustDeath() {
	var seen []futexKey
	for _, o := range k.order {
		w := o.wait.futex
		if w == nil || !w.queued || !w.key.public || w.pi != nil || w.requeuePI != nil || w.val&futexWaiters == 0 || slices.Contains(seen, w.key) {
			continue
		}
		v, ok := o.readU32(w.addr)
		if ok && (v == 0 || v&futexOwnerDied != 0 && v&futexTIDMask == 0) {
			seen = append(seen, w.key)
			k.futexWake(w.key, 1, ^uint32(0))
		}
	}
}
