package kernel

// lent is memory of the guest below a thread's red zone that a call uses in the
// place of the guest's arguments, with what lay there: on a small stack, as of a
// coroutine or a goroutine, that is no stack any more.
type lent struct {
	addr uint64
	was  [lentSize]byte
}

// lentSize is as much as a struct stat, and more than the others that are put there.
const lentSize = 144

// spare is such memory for the call at which t stands, lentSize bytes. They are as
// before when the call is over.
func (t *Task) spare() uint64 {
	addr := (t.regs.Rsp - 128 - 512) &^ 15
	if t.lent != nil && t.lent.addr == addr {
		return addr
	}
	l := &lent{addr: addr}
	if t.read(addr, l.was[:]) { // else the kernel may let the stack grow
		t.lent = l
	}
	return addr
}

// lend writes words to spare memory, for the kernel to read.
func (t *Task) lend(words ...uint64) (addr uint64, ok bool) {
	addr = t.spare()
	return addr, t.writeU64(addr, words...)
}

// giveBack restores what lay in spare memory. With threads-native others may have
// written there meanwhile.
func (k *Kernel) giveBack(t *Task) {
	if l := t.lent; l != nil {
		t.lent = nil
		if !k.cfg.Open.Threads {
			t.write(l.addr, l.was[:])
		}
	}
}
