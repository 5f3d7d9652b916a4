package sched

// Timer is a moment of the logical clock. Data is the owner's; a *Thread
// there means the deadline of that thread's park.
type Timer struct {
	When int64 // ns since 1970
	Data any
	seq  uint64
	pos  int // index in the heap, -1 when not in it
}

// AddTimer registers a moment. Equal moments fire in order of registration.
func (s *Sched) AddTimer(when int64, data any) *Timer {
	s.tseq++
	t := &Timer{When: when, Data: data, seq: s.tseq}
	s.timers.push(t)
	return t
}

// StopTimer removes t; it reports whether t was still to come.
func (s *Sched) StopTimer(t *Timer) bool {
	if t == nil || t.pos < 0 {
		return false
	}
	s.timers.remove(t.pos)
	return true
}

// timerHeap is a binary heap by (When, seq).
type timerHeap []*Timer

func (h timerHeap) less(i, j int) bool {
	if h[i].When != h[j].When {
		return h[i].When < h[j].When
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *timerHeap) push(t *Timer) {
	t.pos = len(*h)
	*h = append(*h, t)
	h.up(t.pos)
}

func (h *timerHeap) pop() *Timer { return h.remove(0) }

func (h *timerHeap) remove(i int) *Timer {
	last := len(*h) - 1
	t := (*h)[i]
	if i != last {
		h.swap(i, last)
	}
	(*h)[last] = nil
	*h = (*h)[:last]
	if i != last {
		if !h.down(i) {
			h.up(i)
		}
	}
	t.pos = -1
	return t
}

func (h timerHeap) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if !h.less(i, p) {
			return
		}
		h.swap(i, p)
		i = p
	}
}

func (h timerHeap) down(i int) bool {
	start := i
	for {
		l := 2*i + 1
		if l >= len(h) {
			break
		}
		m := l
		if r := l + 1; r < len(h) && h.less(r, l) {
			m = r
		}
		if !h.less(m, i) {
			break
		}
		h.swap(i, m)
		i = m
	}
	return i > start
}
