package settings

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dettrace/internal/hint"
)

// Preset is the habits of a distribution's builders: user, home, build path,
// environment and epoch, together. Every flag overrides its part of them.
type Preset struct {
	Name string
	Text string // one line for people
	User string // UID:GID
	// Source is where the current directory is; %s is its base name, or what
	// --profile names instead of it.
	Source string
	// Own are directories that are made, and the user's; %t is that above Source.
	Own   []string
	Env   []string
	Epoch string // as --epoch; "" is the default, "changelog" the entry on top of debian/changelog
}

// Presets are the values of --profile.
func Presets() []Preset {
	return []Preset{
		{
			// sbuild(1) and the builders of Debian's archive.
			Name: "debian", Text: "Debian's builders: /build/reproducible-path, no home, the changelog's time",
			User: "1000:1000", Source: "/build/reproducible-path/%s",
			Env: []string{"HOME=/sbuild-nonexistent", "USER=buildd", "LOGNAME=buildd", "LC_ALL=C.UTF-8",
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"},
			Epoch: "changelog",
		},
		{
			// nix/libstore/build.cc of Guix: guestUID, guestGID and initializeUserNamespace.
			Name: "guix", Text: "guix-daemon's build environment, but with the usual PATH",
			User: "30001:30000", Source: "/tmp/guix-build-%s.drv-0/source",
			Env: []string{"HOME=/homeless-shelter", "USER=nixbld", "LOGNAME=nixbld", "NIX_STORE=/gnu/store", "NIX_BUILD_CORES=1",
				"NIX_BUILD_TOP=%t", "TMPDIR=%t", "TEMPDIR=%t", "TMP=%t", "TEMP=%t"},
			Own: []string{"%t"}, Epoch: "@1",
		},
		{
			// derivation-builder of Nix, and the epoch of nixpkgs' stdenv.
			Name: "nix", Text: "the sandbox of Nix on Linux, but with the usual PATH",
			User: "1000:100", Source: "/build/source",
			Env: []string{"HOME=/homeless-shelter", "USER=nixbld", "LOGNAME=nixbld", "NIX_STORE=/nix/store", "NIX_BUILD_CORES=1",
				"NIX_BUILD_TOP=%t", "TMPDIR=%t", "TEMPDIR=%t", "TMP=%t", "TEMP=%t", "TERM=xterm-256color"},
			Own: []string{"%t"}, Epoch: "@315532800",
		},
		{
			Name: "ci", Text: "a runner of a CI service: user runner, builds in its home, CI=true",
			User: "1001:1001", Source: "/home/runner/builds/%s", Own: []string{"/home/runner"},
			Env: []string{"HOME=/home/runner", "USER=runner", "LOGNAME=runner", "SHELL=/bin/bash", "CI=true"},
		},
	}
}

// PresetNames lists the names.
func PresetNames() []string {
	var names []string
	for _, p := range Presets() {
		names = append(names, p.Name)
	}
	return names
}

// applyPreset puts the preset's values where no flag has been given, and returns
// the directories that are to be the user's.
func applyPreset(f *Flags, host Host) (own []string, err error) {
	if f.Preset == "" {
		return nil, nil
	}
	names := PresetNames()
	name, project, named := strings.Cut(f.Preset, ":")
	if !named {
		project = projectOf(host.Dir)
	} else if project == "" || project == "." || project == ".." || strings.Contains(project, "/") {
		return nil, hint.With(fmt.Errorf("--profile %s: %q is no name of a directory", f.Preset, project), "--profile "+name+":NAME, for paths with NAME in place of the current directory's")
	}
	for _, p := range Presets() {
		if p.Name == name {
			return p.apply(f, host, project)
		}
	}
	advice := "one of " + strings.Join(names, ", ")
	if near := hint.Nearest(name, names); near != "" {
		advice = "did you mean " + near + "?"
	}
	if strings.HasPrefix(f.Preset, "-") {
		advice += "; to measure where the time goes: --timing"
	}
	return nil, hint.With(fmt.Errorf("--profile %q: no such profile", f.Preset), advice)
}

// projectOf is the name in paths of a profile for who starts in dir.
func projectOf(dir string) string {
	if base := filepath.Base(dir); base != "/" {
		return base
	}
	return "src"
}

func (p Preset) apply(f *Flags, host Host, project string) (own []string, err error) {
	source := p.Source
	if strings.Contains(source, "%") {
		source = fmt.Sprintf(source, project)
	}
	if !f.NoDefaultInput {
		f.NoDefaultInput = true
		f.Inputs = append([]string{host.Dir + ":" + source}, f.Inputs...)
	}
	if f.Workdir == "" || f.Workdir == SourceDir {
		f.Workdir = source
	}
	if f.User == "" {
		f.User = p.User
	}
	top := func(s string) string { return strings.ReplaceAll(s, "%t", filepath.Dir(source)) }
	var env []string
	for _, kv := range p.Env {
		env = append(env, top(kv))
	}
	for _, dir := range p.Own {
		own = append(own, top(dir))
	}
	_, declared := Lookup(f.Env, "SOURCE_DATE_EPOCH")
	f.Env = append(env, f.Env...)
	if f.Epoch != "" || declared {
		return own, nil
	}
	if p.Epoch != "changelog" {
		f.Epoch = p.Epoch
		return own, nil
	}
	seconds, err := changelogTime(filepath.Join(host.Dir, "debian", "changelog"))
	if err != nil {
		return nil, hint.With(fmt.Errorf("--profile %s: %w", p.Name, err), "set the clock with --epoch")
	}
	if seconds > 0 {
		f.Epoch = "@" + strconv.FormatInt(seconds, 10)
	}
	return own, nil
}

// changelogTime is the time of the first entry of a deb-changelog(5), in
// seconds since 1970; 0 if there is no such file.
func changelogTime(name string) (int64, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close() // only read: nothing can be lost
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), " -- ") {
			continue
		}
		_, date, ok := strings.Cut(lines.Text(), ">  ")
		if !ok {
			break
		}
		for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 -0700", "Mon, _2 Jan 2006 15:04:05 MST"} {
			if t, err := time.Parse(layout, strings.TrimSpace(date)); err == nil {
				return t.Unix(), nil
			}
		}
		break
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%s: no entry with a date", name)
}
