package syscalls

import "golang.org/x/sys/unix"

// Action is what the seccomp filter does with a call.
type Action uint8

const (
	Allow Action = iota // straight to the kernel, no stop
	Trace               // stop for the supervisor
	Look                // stop for the supervisor to look only: no event, whatever the row says
	Deny                // fail with the row's errno, without a stop and unreported
)

// Filter decides, by number and register arguments alone, whether a use of a
// call stops. The first rule whose conditions all hold gives the action, else
// Default. Nothing in memory is looked at, so no other thread can change the
// decision after it was made.
type Filter struct {
	Default Action
	Rules   []Rule
}

// Rule applies its action when all conditions hold.
type Rule struct {
	If     []Cond
	Action Action
}

// Cond holds when (argument Arg & Mask) == Value. A Mask of at most 32 bits
// looks at the lower half only, as the kernel does for an int.
type Cond struct {
	Arg         int // 0 to 5
	Mask, Value uint64
}

// Holds reports whether the condition holds for args.
func (c Cond) Holds(args [6]uint64) bool { return args[c.Arg]&c.Mask == c.Value }

// Decide is the reference meaning of a filter; the BPF program of package
// seccomp is tested against it.
func (f Filter) Decide(args [6]uint64) Action {
next:
	for _, r := range f.Rules {
		for _, c := range r.If {
			if !c.Holds(args) {
				continue next
			}
		}
		return r.Action
	}
	return f.Default
}

// AlwaysAllows reports that no argument makes the call stop.
func (f Filter) AlwaysAllows() bool {
	for _, r := range f.Rules {
		if r.Action != Allow {
			return false
		}
	}
	return f.Default == Allow
}

const low32 = 1<<32 - 1

// allowIf stops all uses but those for which every condition holds.
func allowIf(conds ...Cond) Filter { return Filter{Trace, []Rule{{conds, Allow}}} }

// traceIf stops only the uses for which every condition holds.
func traceIf(conds ...Cond) Filter { return Filter{Allow, []Rule{{conds, Trace}}} }

// allowValues stops all uses but those whose int argument is one of vals.
func allowValues(arg int, vals ...uint64) Filter {
	f := Filter{Default: Trace}
	for _, v := range vals {
		f.Rules = append(f.Rules, Rule{[]Cond{{arg, low32, v}}, Allow})
	}
	return f
}

// Constructors of rows. Calls that always stop are events; for those that stop
// on some arguments the row says so itself.

func native(nr int, name, note string) Row {
	return Row{Nr: nr, Name: name, Class: Native, Note: note}
}

// counted is a call that the kernel does alone but that must be seen: it
// changes files (the clock ticks) or can poll for another thread's progress
// (the quantum shrinks).
func counted(nr int, name, note string) Row {
	return Row{Nr: nr, Name: name, Class: Native, Event: true, Filter: Filter{Default: Trace}, Note: note}
}

func emulate(nr int, name, note string) Row { return stopping(nr, name, Emulate, note) }
func adjust(nr int, name, note string) Row  { return stopping(nr, name, Adjust, note) }
func schedule(nr int, name, note string) Row {
	return stopping(nr, name, Schedule, note)
}

func stopping(nr int, name string, c Class, note string) Row {
	return Row{Nr: nr, Name: name, Class: c, Event: true, Filter: Filter{Default: Trace}, Note: note}
}

func refuse(nr int, name string, errno unix.Errno, note string) Row {
	r := stopping(nr, name, Refuse, note)
	r.Errno = errno
	return r
}

// absent is a refusal that is not worth a stop: what every program tries when it
// starts, and does without.
func absent(nr int, name string, errno unix.Errno, note string) Row {
	return Row{Nr: nr, Name: name, Class: Refuse, Errno: errno, Filter: Filter{Default: Deny}, Note: note}
}

// withErrno sets the answer to the uses that are not supported.
func (r Row) withErrno(e unix.Errno) Row {
	r.Errno = e
	return r
}

// only sets which uses stop, and whether those are events.
func (r Row) only(f Filter, event bool) Row {
	r.Filter, r.Event = f, event
	return r
}
