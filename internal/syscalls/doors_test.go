package syscalls

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/door"
)

// Doors change filters and nothing else; what is refused always stops, whatever
// is open, and closed doors give the plain table.
func TestDoorsKeepRefusals(t *testing.T) {
	plain := Table()
	for _, open := range []door.Set{{}, {Time: true}, {Threads: true}, door.Open(door.Names())} {
		rows := For(open)
		for i, r := range rows {
			p := plain[i]
			if r.Nr != p.Nr || r.Name != p.Name || r.Class != p.Class || r.Errno != p.Errno {
				t.Errorf("%+v: row %s differs: %+v", open, p.Name, r)
			}
			same := r.Filter.Default == p.Filter.Default && slices.EqualFunc(r.Filter.Rules, p.Filter.Rules, func(a, b Rule) bool {
				return a.Action == b.Action && slices.Equal(a.If, b.If)
			})
			if !same && (r.Class == Refuse || !open.Threads) {
				t.Errorf("%+v: %s stops for something else", open, r.Name)
			}
		}
	}
	for name := range concurrent() {
		if _, ok := ByName(name); !ok {
			t.Errorf("no call %q", name)
		}
	}
	for name := range limited() {
		if _, ok := concurrent()[name]; !ok {
			t.Errorf("%q is limited but not concurrent", name)
		}
	}
}

// With a logical clock calls stop that wait for a time, and only those.
func TestLimitedWaitsStop(t *testing.T) {
	rows := For(door.Set{Threads: true})
	const ptr = 0x7fff0000
	for _, c := range []struct {
		nr   int
		args [6]uint64
		want Action
	}{
		{unix.SYS_FUTEX, [6]uint64{1, 128, 0, 0}, Allow},             // FUTEX_WAIT_PRIVATE, no time
		{unix.SYS_FUTEX, [6]uint64{1, 128, 0, ptr}, Trace},           // with one
		{unix.SYS_FUTEX, [6]uint64{1, 129, 1, ptr}, Allow},           // FUTEX_WAKE_PRIVATE looks at none
		{unix.SYS_FUTEX, [6]uint64{1, 128 + 256 + 9, 0, ptr}, Trace}, // FUTEX_WAIT_BITSET, realtime
		{unix.SYS_FUTEX, [6]uint64{1, 4, 1, ptr}, Allow},             // FUTEX_CMP_REQUEUE: a number
		{unix.SYS_POLL, [6]uint64{ptr, 1, 0}, Allow},                 //
		{unix.SYS_POLL, [6]uint64{ptr, 1, 1<<32 - 1}, Allow},         // -1: for ever
		{unix.SYS_POLL, [6]uint64{ptr, 1, 5}, Trace},                 //
		{unix.SYS_KILL, [6]uint64{2, uint64(unix.SIGTERM)}, Allow},   //
		{unix.SYS_KILL, [6]uint64{2, uint64(unix.SIGKILL)}, Trace},   //
		{unix.SYS_FCNTL, [6]uint64{0, unix.F_SETLKW, ptr}, Allow},    //
		{unix.SYS_FCNTL, [6]uint64{0, unix.F_SETLEASE, 0}, Trace},    //
		{unix.SYS_CLOCK_GETTIME, [6]uint64{0, ptr}, Trace},           //
		{unix.SYS_SEMTIMEDOP, [6]uint64{0, ptr, 1, 0}, Allow},        //
		{unix.SYS_PTRACE, [6]uint64{}, Trace},                        // refused
	} {
		if got := rows[c.nr].Filter.Decide(c.args); got != c.want {
			t.Errorf("%s%#x: %v", rows[c.nr].Name, c.args, got)
		}
	}
	if got := For(door.Set{Threads: true, Time: true})[unix.SYS_CLOCK_GETTIME].Filter.Decide([6]uint64{}); got != Allow {
		t.Errorf("clock_gettime with the host's clock: %v", got)
	}
}
