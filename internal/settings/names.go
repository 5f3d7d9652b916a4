package settings

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dettrace/internal/door"
	"dettrace/internal/hint"
	"dettrace/internal/run"
)

// Doors are the values of --allow.
func Doors() []string { return door.Names() }

// parseDoors checks, sorts and compacts the values of --allow.
func parseDoors(values []string) ([]string, error) {
	var allow []string
	for _, v := range values {
		if slices.Contains(Doors(), v) {
			allow = append(allow, v)
			continue
		}
		advice := "the doors are: " + strings.Join(Doors(), ", ")
		if near := hint.Nearest(v, Doors()); near != "" {
			advice = "did you mean " + near + "? " + advice
		}
		return nil, hint.With(fmt.Errorf("--allow %q: no such door", v), advice)
	}
	slices.Sort(allow)
	return slices.Compact(allow), nil
}

// checkDoors refuses settings that an open door makes meaningless.
func checkDoors(s *run.Spec, f Flags) error {
	open := door.Open(s.Allow)
	if f.CPUs > 1 && open.Machine {
		return hint.With(fmt.Errorf("--cpus %d: with --allow %s the number is the host's", f.CPUs, door.Machine), "leave one of them out")
	}
	if scheduled := s.ScheduleSeed != 0 || f.Schedule != "" || f.SaveSchedule != ""; scheduled && (open.Time || open.Threads) {
		return hint.With(errors.New("--allow "+door.Time+" or "+door.Threads+": the order of threads is the host's, so no schedule can be kept"),
			"leave out --schedule-seed, --schedule and --save-schedule")
	}
	if f.Vary != "" && (open.Time || open.Random || open.ASLR || open.Machine) {
		return hint.With(errors.New("--vary: what a door lets in cannot be varied by a seed"), "leave out --allow "+strings.Join(s.Allow, ", --allow "))
	}
	return nil
}

// checkHostname accepts what sethostname(2) and RFC 1123 both accept.
func checkHostname(name string) error {
	// By hand: every run comes here, and to compile an expression takes 50 us.
	ok := len(name) <= 64
	for label := range strings.SplitSeq(name, ".") {
		ok = ok && label != "" && label[0] != '-' && label[len(label)-1] != '-' &&
			strings.Trim(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
	}
	if !ok {
		return hint.With(fmt.Errorf("--hostname %q: not a host name", name), "up to 64 letters, digits, hyphens and dots")
	}
	return nil
}

const userAdvice = "UID[:GID], or names of the image, such as 1000:1000 or www-data:www-data"

// checkUser checks the form USER[:GROUP], each a number or a name; names are
// looked up in the image later. 4294967295 is "no change" to chown(2) and not
// an id.
func checkUser(user string) error {
	if user == "" {
		return nil
	}
	first, second, pair := strings.Cut(user, ":")
	if !isUser(first) || pair && !isUser(second) {
		return fmt.Errorf("%q: neither a number nor a name", user)
	}
	return nil
}

func isUser(s string) bool {
	return isID(s) || regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*\$?$`).MatchString(s)
}

func isID(text string) bool {
	n, err := strconv.ParseUint(text, 10, 32)
	return err == nil && n != 1<<32-1 && text[0] != '+'
}
