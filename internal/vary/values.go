package vary

import (
	"fmt"
	"slices"
	"strings"
)

// TimeShift is by how many ns the clock is later: one year, and up to three
// more, so that the year is another one.
func (c *Choice) TimeShift() int64 {
	const day = 86400e9
	return 366*day + int64(c.Value(0)%(3*365*day))
}

// RateFactor is how many times as long every event takes.
func (c *Choice) RateFactor() int64 { return 2 + int64(c.Value(0)%59) }

// PID is the number of process or thread i, which is none that the run would
// have otherwise, unless it has many.
func (c *Choice) PID(i uint64) int { return 2000 + int(c.Value(i)%28000) }

// tag is a short word that depends on the seed.
func (c *Choice) tag() string { return fmt.Sprintf("%05x", c.Value(1)&0xfffff) }

// CPUCount is a number of CPUs other than now.
func (c *Choice) CPUCount(now int) int {
	n := 2 + int(c.Value(0)%7)
	if n == now {
		n++
	}
	return n
}

// CPUModels are the models of CPU to show instead of now, best first: the run
// takes the first that the host's CPU can be.
func (c *Choice) CPUModels(now string) []string {
	return slices.DeleteFunc([]string{"x86-64-v3", "x86-64-v2", "x86-64-v1"}, func(m string) bool { return m == now })
}

// MemoryBytes is the size of the memory, in whole MiB.
func (c *Choice) MemoryBytes() uint64 { return (9<<10 + c.Value(0)%(100<<10)) << 20 }

// DiskBytes is the size of the file system.
func (c *Choice) DiskBytes() uint64 { return (100<<10 + c.Value(0)%(1000<<10)) << 20 }

// HostName and DomainName are those of the machine.
func (c *Choice) HostName() string { return "vary-host-" + c.tag() }

// DomainName is the NIS domain.
func (c *Choice) DomainName() string { return "vary-domain-" + c.tag() }

// UserName is the name of user and group.
func (c *Choice) UserName() string { return "vary" + c.tag() }

// UserID is the number of user and group.
func (c *Choice) UserID() uint32 { return 1000 + uint32(c.Value(0)%5000) }

// HomeDir is the home directory.
func (c *Choice) HomeDir() string { return "/home/vary-home-" + c.tag() }

// KernelRelease and KernelVersion are uname(2)'s.
func (c *Choice) KernelRelease() string {
	v := c.Value(0)
	return fmt.Sprintf("5.%d.%d-%d-vary", 1+v%18, v>>8%200, 1+v>>16%40)
}

// KernelVersion is uname's version.
func (c *Choice) KernelVersion() string {
	return fmt.Sprintf("#%d SMP vary %s", 2+c.Value(0)>>32%100, c.tag())
}

// BuildTop is what BuildPath replaces.
const BuildTop = "/build"

// UUID is the text of a random UUID.
func UUID(key [32]byte) string {
	key[6], key[8] = key[6]&0x0f|0x40, key[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", key[:4], key[4:6], key[6:8], key[8:10], key[10:16])
}

// Moved is a guest path under another build path: /build becomes another
// directory. Other paths stay, and all with a nil Choice.
func (c *Choice) Moved(p string) string {
	if c == nil || p != BuildTop && !strings.HasPrefix(p, BuildTop+"/") {
		return p
	}
	return c.buildPath() + p[len(BuildTop):]
}

// MovedBack undoes Moved.
func (c *Choice) MovedBack(p string) string {
	if c == nil {
		return p
	}
	for _, slash := range []string{"/", ""} { // members of tars have none in front
		moved := strings.TrimPrefix(c.buildPath(), "/")
		if rest, ok := strings.CutPrefix(p, slash+moved); ok && (rest == "" || rest[0] == '/') {
			return slash + BuildTop[1:] + rest
		}
	}
	return p
}

func (c *Choice) buildPath() string { return BuildTop + "-vary-" + c.tag() + "-other" }

// Variables are the environment variables of a choice; the value of PATH is added
// to the one there is. start is when the clock starts, in ns since 1970.
func (c *Choice) Variables(start int64) []string {
	v := c.Value(0)
	switch c.Source {
	case Locales:
		l := []string{"et_EE.UTF-8", "C", "fr_CH.UTF-8", "tr_TR.UTF-8"}[v%4]
		return []string{"LANG=" + l, "LC_ALL=" + l, "LANGUAGE=" + l + ":fr"}
	case Timezone:
		return []string{"TZ=" + timezone(v, start)}
	case Environment:
		return []string{"CAPTURE_ENVIRONMENT=i_capture_the_environment_" + strings.Repeat(c.tag(), 1+int(v%20))}
	case Terminal:
		return []string{"TERM=xterm-256color", fmt.Sprintf("COLUMNS=%d", 90+v%200), fmt.Sprintf("LINES=%d", 30+v>>8%100)}
	case Home:
		return []string{"HOME=" + c.HomeDir()}
	case ExecPath:
		return []string{"PATH=/i_capture_the_path_" + c.tag()}
	case User:
		return []string{"USER=" + c.UserName(), "LOGNAME=" + c.UserName()}
	}
	return nil
}

// timezone is a zone in which another day begins with the clock, since what keeps only a
// date would not differ otherwise.
func timezone(v uint64, start int64) string {
	zones := []struct {
		name    string
		minutes int64 // east of Greenwich, in winter
	}{{"GMT+12", -12 * 60}, {"GMT-14", 14 * 60}, {"Asia/Kathmandu", 5*60 + 45}, {"America/St_Johns", -3*60 - 30}}
	const day = 24 * 60
	now := start / 60e9
	for i := range uint64(len(zones)) {
		if z := zones[(v+i)%4]; (now+z.minutes)/day != now/day {
			return z.name
		}
	}
	return zones[v%4].name // a time before 1970
}

// Environ is env with the variables of all choices but those declared by name. start is
// when the clock starts, in ns since 1970.
func (p Plan) Environ(env, declared []string, start int64) []string {
	out := slices.Clone(env)
	for i := range p {
		for _, kv := range p[i].Variables(start) {
			name, value, _ := strings.Cut(kv, "=")
			if slices.Contains(declared, name) {
				continue
			}
			at := slices.IndexFunc(out, func(old string) bool { return strings.HasPrefix(old, name+"=") })
			switch {
			case at < 0:
				out = append(out, kv)
			case name == "PATH":
				out[at] += ":" + value
			default:
				out[at] = kv
			}
		}
	}
	return out
}
