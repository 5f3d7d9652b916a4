package main

import (
	"fmt"
	"slices"
	"strings"

	"dettrace/internal/vary"
)

// pkg is a package of the table.
type pkg struct {
	name, source, sha256 string
	prepare, build       string   // of sh
	only                 []string // globs, relative to the tree
	causes               []cause
}

// cause is what is expected: a source, and where it is used and seen.
type cause struct {
	source, command, file, why string
}

// anyUse stands for the command where no single use is expected.
const anyUse = "-"

// parse reads the table (packages.txt says how it looks).
func parse(text string) (out []pkg, err error) {
	var p *pkg
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if !ok || p == nil && key != "Package" {
			return nil, fmt.Errorf("line %d: %q is no field of a package", i+1, line)
		}
		switch key {
		case "Package":
			out = append(out, pkg{name: value})
			p = &out[len(out)-1]
		case "Tarball", "Source":
			p.source = value
		case "Sha256":
			p.sha256 = value
		case "Prepare":
			p.prepare = value
		case "Build":
			p.build = value
		case "Only":
			p.only = strings.Fields(value)
		case "Cause":
			f := strings.SplitN(value, " | ", 4)
			if len(f) != 4 || !slices.Contains(vary.Names(), f[0]) {
				return nil, fmt.Errorf("line %d: not SOURCE | COMMAND | FILE | WHY", i+1)
			}
			p.causes = append(p.causes, cause{f[0], f[1], f[2], f[3]})
		default:
			return nil, fmt.Errorf("line %d: no field %q", i+1, key)
		}
	}
	for _, p := range out {
		if p.source == "" || len(p.sha256) != 64 || p.build == "" || len(p.only) == 0 || len(p.causes) == 0 {
			return nil, fmt.Errorf("%s: a field is missing", p.name)
		}
	}
	return out, nil
}
