package settings

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"dettrace/internal/hint"
	"dettrace/internal/redact"
	"dettrace/internal/run"
)

// Variable is one default of the guest's environment.
type Variable struct {
	Name, Value string
	Why         string
}

// DefaultEnv lists every variable a guest has without -e, in order, as it is
// documented. SOURCE_DATE_EPOCH holds the epoch of the run; the variables of
// the user are those of root. There is deliberately none that tells a build
// that it runs under dettrace: a build must not be able to differ by it.
func DefaultEnv() []Variable {
	return []Variable{
		{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "Debian's default, in the image's directories"},
		{"LANG", "C.UTF-8", "UTF-8 without a country's order, dates or words"},
		{"TZ", "UTC", "no time zone file decides"},
		{"TERM", "dumb", "no colours, no terminal's width"},
		{"SOURCE_DATE_EPOCH", strconv.Itoa(DefaultEpoch), "the epoch of the run, in seconds"},
		{"HOME", "/root", "home of --user in the image's passwd; / for an unknown id"},
		{"USER", "root", "name of --user; the number for an unknown id"},
		{"LOGNAME", "root", "as USER"},
		{"SHELL", "/bin/sh", "the same for every user"},
	}
}

// followsUser reports whether the variable's value comes from --user.
func followsUser(name string) bool {
	return name == "HOME" || name == "USER" || name == "LOGNAME"
}

// isRoot reports whether --user means 0:0 without a look into the image.
func isRoot(user string) bool {
	return user == "" || user == "0" || user == "0:0" || user == "root"
}

// notFromHost is what --env-host leaves out: identity and place belong to the
// guest, and the epoch never comes from the host by itself.
func notFromHost(name string) bool {
	switch name {
	case "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "_", "TMPDIR", "SOURCE_DATE_EPOCH":
		return true
	}
	return false
}

// setEnvironment decides epoch and environment together: a declared
// SOURCE_DATE_EPOCH, or else the image's, sets the clock unless --epoch does,
// and the variable always says what the clock starts at unless -e gave it a
// value of its own.
func setEnvironment(s *run.Spec, f Flags, host Host) error {
	declared, taken, err := declaredEnv(f, host)
	if err != nil {
		return err
	}
	s.HostEnvNames = taken
	sde, hasSDE := Lookup(declared, "SOURCE_DATE_EPOCH")
	ofImage, imageSDE := Lookup(s.Config.Env, "SOURCE_DATE_EPOCH")
	s.EpochNS = DefaultEpoch * int64(time.Second)
	switch {
	case f.Epoch != "":
		if s.EpochNS, err = parseEpoch(f.Epoch, host.Now); err != nil {
			return err
		}
	case hasSDE:
		if s.EpochNS, err = parseSeconds(sde); err != nil {
			return hint.With(fmt.Errorf("-e SOURCE_DATE_EPOCH=%s: %w", sde, err), "it sets the guest's clock; use --epoch to set the clock apart from it")
		}
	case imageSDE:
		if s.EpochNS, err = parseSeconds(ofImage); err != nil {
			return hint.With(fmt.Errorf("SOURCE_DATE_EPOCH=%s of the image: %w", ofImage, err), "set the clock with --epoch")
		}
	}
	var env []string
	for _, v := range DefaultEnv() {
		if v.Name == "SOURCE_DATE_EPOCH" {
			v.Value = strconv.FormatInt(s.EpochNS/int64(time.Second), 10)
		}
		if v.Name == "SOURCE_DATE_EPOCH" && s.Vary != nil {
			continue // elsewhere nobody sets it, and with it fewer differences show
		}
		if v.Name == "TERM" && f.TTY {
			v.Value = terminalTERM
		}
		if followsUser(v.Name) && !isRoot(s.User) {
			continue // filled in by the run, which knows the image's passwd
		}
		env = append(env, v.Name+"="+v.Value)
	}
	for _, kv := range s.Config.Env {
		if !strings.HasPrefix(kv, "SOURCE_DATE_EPOCH=") {
			env = set(env, kv)
		}
	}
	for _, kv := range declared {
		name, _, _ := strings.Cut(kv, "=")
		s.DeclaredEnv = append(s.DeclaredEnv, name)
		env = set(env, kv)
	}
	s.Env = env
	return setSecrets(s, f, host)
}

// setSecrets adds --secret to the environment. A value of several lines, such
// as a key, keeps all but the end of the last one.
func setSecrets(s *run.Spec, f Flags, host Host) error {
	for _, arg := range f.Secret {
		name, file, hasFile := strings.Cut(arg, "=")
		value, ok := Lookup(host.Env, name)
		switch {
		case name == "" || strings.ContainsRune(arg, 0):
			return hint.With(fmt.Errorf("--secret %q: no name of a variable", name), "--secret NAME, or --secret NAME=FILE for a file's content")
		case hasFile:
			b, err := os.ReadFile(hostPath(file, host.Dir))
			if err != nil {
				return hint.With(fmt.Errorf("--secret %s: %w", name, err), "--secret NAME=FILE takes the value from a file, never from the command line, where others can see it")
			}
			value = strings.TrimRight(string(b), "\r\n")
		case !ok:
			return hint.With(fmt.Errorf("--secret %s: not set on the host", name), "set it, or take the value from a file: --secret "+name+"=FILE")
		}
		if len(value) < redact.Least || strings.ContainsRune(value, 0) {
			return hint.With(fmt.Errorf("--secret %s: shorter than %d bytes, or with a NUL", name, redact.Least), "so short a value cannot be kept out of logs: it may be part of anything")
		}
		if slices.ContainsFunc(f.Env, func(e string) bool { n, _, _ := strings.Cut(e, "="); return n == name }) {
			return fmt.Errorf("--secret %s: also given with -e", name)
		}
		s.Env = set(s.Env, name+"="+value)
		s.Secrets = append(s.Secrets, name)
	}
	return nil
}

// declaredEnv is --env-host and then -e, one entry per name, and the sorted
// names whose values came from the host.
func declaredEnv(f Flags, host Host) (env, taken []string, err error) {
	if f.EnvHost {
		sorted := slices.Clone(host.Env)
		slices.Sort(sorted)
		for _, kv := range sorted {
			name, _, _ := strings.Cut(kv, "=")
			if name == "" || notFromHost(name) {
				continue
			}
			env, taken = set(env, kv), append(taken, name)
		}
	}
	for _, arg := range f.Env {
		name, value, hasValue := strings.Cut(arg, "=")
		if name == "" || strings.ContainsRune(arg, 0) {
			return nil, nil, hint.With(fmt.Errorf("-e %q: no name of a variable", arg), "-e NAME=VALUE, or -e NAME for the host's value")
		}
		taken = slices.DeleteFunc(taken, func(t string) bool { return t == name })
		if !hasValue {
			var ok bool
			if value, ok = Lookup(host.Env, name); !ok {
				return nil, nil, hint.With(fmt.Errorf("-e %s: not set on the host", name), "give it a value: -e "+name+"=VALUE")
			}
			taken = append(taken, name)
		}
		env = set(env, name+"="+value)
	}
	slices.Sort(taken)
	return env, slices.Compact(taken), nil
}

// Lookup finds name; of several the last counts, as set keeps only that.
func Lookup(env []string, name string) (string, bool) {
	for _, kv := range slices.Backward(env) {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// set replaces the variable in place or appends it.
func set(env []string, kv string) []string {
	name, _, _ := strings.Cut(kv, "=")
	for i, old := range env {
		if strings.HasPrefix(old, name+"=") {
			env[i] = kv
			return env
		}
	}
	return append(env, kv)
}
