// Package buildfile reads dettrace.toml: builds that are declared once and
// repeated with `dettrace build`. A file holds one build at its top level, or
// several as [build.NAME], for which the top level gives the defaults.
//
// Parsing is strict: an unknown key is an error that names the line and the key
// that was meant. What the values mean is decided by package settings, as for
// the flags of the same names.
package buildfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"dettrace/internal/hint"
	"dettrace/internal/settings"
)

// Name is the file that `dettrace build` looks for.
const Name = "dettrace.toml"

// Single is the name of the build of a file without [build.NAME].
const Single = "default"

// Home is HOME without a declared one, as in Guix: a build that looks there
// fails and does not find what somebody happens to have.
const Home = "/homeless-shelter"

// keys of a build. Pointers tell what was not given.
type keys struct {
	Image        *string           `toml:"image"`
	Inputs       []string          `toml:"inputs"`
	Command      []string          `toml:"command"`
	Steps        []string          `toml:"steps"`
	Environment  map[string]string `toml:"environment"`
	Epoch        *string           `toml:"epoch"`
	Seed         *int64            `toml:"seed"`
	CPUs         *int              `toml:"cpus"`
	Memory       *string           `toml:"memory"`
	Pids         *int64            `toml:"pids"`
	User         *string           `toml:"user"`
	Hostname     *string           `toml:"hostname"`
	Workdir      *string           `toml:"workdir"`
	Outputs      []string          `toml:"outputs"`
	Allow        []string          `toml:"allow"`
	Secrets      []string          `toml:"secrets"`
	Timeout      *string           `toml:"timeout"`
	FollowInputs *bool             `toml:"follow-inputs"`
	ScheduleSeed *int64            `toml:"schedule-seed"`
}

type document struct {
	keys
	Build map[string]keys `toml:"build"`
}

// Build is one declared build.
type Build struct {
	Name    string
	Command []string
	Flags   settings.Flags // as if typed; Inputs without those of Needs
	Needs   []Need
}

// Need is an input that another build of the file makes.
type Need struct {
	Build string
	Guest string // "" for the place an input of its name has
}

// Parse reads a build file and gives its builds, each after those it needs and
// else by name.
func Parse(b []byte) ([]Build, error) {
	var d document
	dec := toml.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, explain(err)
	}
	if len(d.Build) == 0 {
		one, err := d.keys.build(Single)
		if err != nil {
			return nil, err
		}
		return order([]Build{one})
	}
	var builds []Build
	for _, name := range slices.Sorted(maps.Keys(d.Build)) {
		if !validName().MatchString(name) {
			return nil, fmt.Errorf("build.%s: not a name: letters, digits, - and _ only", name)
		}
		own := d.Build[name]
		one, err := own.over(d.keys).build(name)
		if err != nil {
			return nil, fmt.Errorf("build.%s: %w", name, err)
		}
		builds = append(builds, one)
	}
	return order(builds)
}

// validName is made when it is needed, not at every start of the program.
var validName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`) })

// explain names line and key of an error.
func explain(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		first := strict.Errors[0]
		line, _ := first.Position()
		key := first.Key()
		name := key[len(key)-1]
		advice := "the keys are: " + strings.Join(known(), ", ")
		if near := hint.Nearest(name, known()); near != "" {
			advice = "did you mean " + near + "?"
		}
		return hint.With(fmt.Errorf("line %d: unknown key %s", line, strings.Join(key, ".")), advice)
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(decode.Error(), "toml: "))
	}
	return err
}

// known lists the keys of a build.
func known() []string {
	return []string{
		"allow", "build", "command", "cpus", "environment", "epoch", "follow-inputs", "hostname", "image", "inputs", "memory",
		"outputs", "pids", "schedule-seed", "secrets", "seed", "steps", "timeout", "user", "workdir",
	}
}

// over fills what k does not give from the defaults. Lists are replaced as a
// whole, variables one by one.
func (k keys) over(d keys) keys {
	k.Image, k.Epoch, k.Memory, k.User = first(k.Image, d.Image), first(k.Epoch, d.Epoch), first(k.Memory, d.Memory), first(k.User, d.User)
	k.Hostname, k.Workdir, k.Timeout = first(k.Hostname, d.Hostname), first(k.Workdir, d.Workdir), first(k.Timeout, d.Timeout)
	k.Seed, k.Pids, k.ScheduleSeed = first(k.Seed, d.Seed), first(k.Pids, d.Pids), first(k.ScheduleSeed, d.ScheduleSeed)
	k.CPUs, k.FollowInputs = first(k.CPUs, d.CPUs), first(k.FollowInputs, d.FollowInputs)
	if k.Command == nil && k.Steps == nil {
		k.Command, k.Steps = d.Command, d.Steps
	}
	for _, l := range []struct{ own, def *[]string }{{&k.Inputs, &d.Inputs}, {&k.Outputs, &d.Outputs}, {&k.Allow, &d.Allow}, {&k.Secrets, &d.Secrets}} {
		if *l.own == nil {
			*l.own = *l.def
		}
	}
	env := maps.Clone(d.Environment)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, k.Environment)
	k.Environment = env
	return k
}

func first[T any](own, def *T) *T {
	if own != nil {
		return own
	}
	return def
}

func value[T any](p *T, def T) T {
	if p != nil {
		return *p
	}
	return def
}

// build turns keys into flags.
func (k keys) build(name string) (Build, error) {
	b := Build{Name: name, Command: k.Command}
	switch {
	case k.Image == nil:
		return b, hint.With(errors.New("no image"), `image = "host", a directory, a tar, or an image of the store`)
	case k.Command != nil && k.Steps != nil:
		return b, hint.With(errors.New("both command and steps"), "command is one program with its arguments, steps are lines for a shell")
	case k.Steps != nil:
		// One shell runs all steps, so that cd and variables last.
		b.Command = []string{"/bin/sh", "-e", "-c", strings.Join(k.Steps, "\n")}
	case len(k.Command) == 0:
		return b, hint.With(errors.New("no command"), `command = ["make"], or steps = ["./configure", "make"]`)
	}
	f := settings.Flags{
		Image: *k.Image, NoDefaultInput: true, InputMtime: "epoch", FollowInputs: value(k.FollowInputs, false),
		Outputs: k.Outputs, Force: true, Epoch: value(k.Epoch, ""), Seed: strconv.FormatInt(value(k.Seed, 0), 10),
		ScheduleSeed: strconv.FormatInt(value(k.ScheduleSeed, 0), 10), CPUs: value(k.CPUs, 1), Memory: value(k.Memory, ""),
		Pids: value(k.Pids, 0), User: value(k.User, "0:0"), Hostname: value(k.Hostname, settings.DefaultHostname),
		Workdir: value(k.Workdir, settings.SourceDir), Allow: k.Allow, Timeout: value(k.Timeout, ""), Secret: k.Secrets,
	}
	if f.Epoch == "now" {
		return b, hint.With(errors.New("epoch: now is another time at every build"), `a date, such as epoch = "2026-01-01"`)
	}
	if _, ok := k.Environment["HOME"]; !ok {
		f.Env = append(f.Env, "HOME="+Home)
	}
	for _, n := range slices.Sorted(maps.Keys(k.Environment)) {
		f.Env = append(f.Env, n+"="+k.Environment[n])
	}
	for _, in := range k.Inputs {
		other, ok := strings.CutPrefix(in, "build:")
		if !ok {
			f.Inputs = append(f.Inputs, in)
			continue
		}
		n, guest, _ := strings.Cut(other, ":")
		b.Needs = append(b.Needs, Need{n, guest})
	}
	b.Flags = f
	return b, nil
}

// order puts every build behind those it needs.
func order(builds []Build) ([]Build, error) {
	byName := make(map[string]Build, len(builds))
	var names []string
	for _, b := range builds {
		byName[b.Name] = b
		names = append(names, b.Name)
	}
	var out []Build
	state := map[string]int{} // 1: on the way, 2: done
	var visit func(name string, path []string) error
	visit = func(name string, path []string) error {
		switch state[name] {
		case 1:
			return fmt.Errorf("builds need each other: %s", strings.Join(append(path, name), " -> "))
		case 2:
			return nil
		}
		state[name] = 1
		b := byName[name]
		for _, n := range b.Needs {
			if _, ok := byName[n.Build]; !ok {
				advice := "the builds are: " + strings.Join(names, ", ")
				if near := hint.Nearest(n.Build, names); near != "" {
					advice = "did you mean build:" + near + "?"
				}
				return hint.With(fmt.Errorf("build.%s: needs build:%s, which is not in the file", name, n.Build), advice)
			}
			if err := visit(n.Build, append(path, name)); err != nil {
				return err
			}
		}
		state[name] = 2
		out = append(out, b)
		return nil
	}
	for _, name := range names {
		if err := visit(name, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Select keeps the builds with these names and those they need; no names keep
// all.
func Select(builds []Build, only []string) ([]Build, error) {
	if len(only) == 0 {
		return builds, nil
	}
	var names []string
	for _, b := range builds {
		names = append(names, b.Name)
	}
	want := map[string]bool{}
	for _, n := range only {
		if !slices.Contains(names, n) {
			advice := "the builds are: " + strings.Join(names, ", ")
			if near := hint.Nearest(n, names); near != "" {
				advice = "did you mean " + near + "?"
			}
			return nil, hint.With(fmt.Errorf("no build %q in the file", n), advice)
		}
		want[n] = true
	}
	var out []Build
	for _, b := range slices.Backward(builds) {
		if !want[b.Name] {
			continue
		}
		out = append(out, b)
		for _, n := range b.Needs {
			want[n.Build] = true
		}
	}
	slices.Reverse(out)
	return out, nil
}
