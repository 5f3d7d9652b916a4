package kernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/sched"
)

// TestEpollSet: whoever has data is found, in the order of parking, however many
// wait and whichever of them leave and come back.
func TestEpollSet(t *testing.T) {
	var s epollSet
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	q := sched.New(0, 100)
	const n = 3 * fewFDs
	var tasks [n]*Task
	var ends [n][2]int
	var waits [n]waitFD
	wait := func(i int) {
		fd, err := unix.FcntlInt(uintptr(ends[i][0]), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		waits[i] = waitFD{fd: fd, events: unix.POLLIN}
		if err := s.add(tasks[i], &waits[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range tasks {
		if err := unix.Pipe2(ends[i][:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		tasks[i] = &Task{}
		tasks[i].th = q.Add(tasks[i])
	}
	for i := range tasks {
		q.Next()
		q.Park(tasks[i].th, -1)
		wait(i)
	}
	expect := func(want ...int) {
		t.Helper()
		got := s.ready(0)
		ok := len(got) == len(want)
		for i, w := range want {
			ok = ok && got[i] == tasks[w]
		}
		if !ok {
			t.Errorf("%d tasks are ready, not %v in this order", len(got), want)
		}
	}
	say := func(i int) {
		if _, err := unix.Write(ends[i][1], []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	expect()
	say(n - 1)
	say(2)
	say(fewFDs)
	expect(2, fewFDs, n-1)
	s.remove(&waits[2])
	expect(fewFDs, n-1)
	s.remove(&waits[n-1]) // its pipe is still open here, as in a guest
	expect(fewFDs)
	wait(n - 1)
	wait(2)
	expect(2, fewFDs, n-1)
	for i := range waits {
		s.remove(&waits[i])
	}
	if expect(); !s.empty() {
		t.Error("somebody is left")
	}
}

// What was found ready as the turn changed is not asked for again, until the next change.
func TestReadyOnce(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[1])
	k := &Kernel{sched: sched.New(0, 100)}
	if err := k.waiters.open(); err != nil {
		t.Fatal(err)
	}
	defer k.waiters.close()
	x := &Task{proc: &Process{}}
	x.proc.tasks = []*Task{x}
	x.th = k.sched.Add(x)
	k.sched.Next()
	k.sched.Park(x.th, -1)
	x.wait = waitFor{direct: unix.POLLIN, fds: []waitFD{{fd: p[0], events: unix.POLLIN}}}
	if err := k.waiters.add(x, &x.wait.fds[0]); err != nil {
		t.Fatal(err)
	}
	defer k.unpark(x)
	if k.wakeReady(); k.sched.Ready() != 0 {
		t.Fatal("woken by an empty pipe")
	}
	if _, err := unix.Write(p[1], []byte{1}); err != nil {
		t.Fatal(err)
	}
	if k.wakeReady(); k.sched.Next() != x.th {
		t.Fatal("not woken")
	}
	var b [1]byte
	if _, err := unix.Read(p[0], b[:]); err != nil { // which nobody can do who has not the turn
		t.Fatal(err)
	}
	if !k.mayGoOn(x) {
		t.Error("asked again within the turn")
	}
	k.sched.Yield()
	k.sched.Next()
	if k.mayGoOn(x) {
		t.Error("not asked again in another turn")
	}
}
