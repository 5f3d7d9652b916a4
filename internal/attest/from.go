package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"dettrace/internal/hint"
	"dettrace/internal/inputs"
	"dettrace/internal/lock"
	"dettrace/internal/report"
)

// outputs makes subjects of files, and by-products of what has no content.
func (s *Statement) outputs(list []report.Output) {
	for _, o := range list {
		r := Resource{Name: o.Path, Annotations: map[string]any{"mode": o.Mode}}
		switch {
		case o.Digest != "":
			r.Digest = map[string]string{"sha256": strings.TrimPrefix(o.Digest, "sha256:")}
			s.Subject = append(s.Subject, r)
			continue
		case o.Target != "":
			r.Annotations["target"] = o.Target
		}
		r.Annotations["type"] = o.Type
		s.Predicate.RunDetails.Byproducts = append(s.Predicate.RunDetails.Byproducts, r)
	}
}

// FromReport is the statement about a run. lines is its list of inputs, which
// names every file that was read, or nil.
func FromReport(r *report.Report, lines []inputs.Line, o Options) (*Statement, error) {
	if r.Exit.Status != 0 || r.Exit.Error != "" {
		return nil, fmt.Errorf("the run failed, with status %d", r.Exit.Status)
	}
	settings, err := asMap(r.Settings)
	if err != nil {
		return nil, err
	}
	s := o.statement(map[string]any{"command": r.Command, "settings": settings, "doorsUsed": r.DoorsUsed})
	s.Predicate.BuildDefinition.InternalParameters = map[string]any{
		"kernel": r.Host.Kernel, "cpu": r.Host.CPU, "visibleCPU": r.VisibleCPU, "idMode": r.Host.IDMode,
	}
	s.outputs(r.Outputs)
	if hex, ok := strings.CutPrefix(r.Changes.Digest, "sha256:"); ok {
		s.Subject = append(s.Subject, Resource{Name: "changes.tar", Digest: map[string]string{"sha256": hex}, Annotations: map[string]any{"paths": r.Changes.Count}})
	}
	for i, l := range append([]report.Image{r.Image}, r.Inputs...) {
		kind, name := readDigest, "input "+l.Guest
		if i == 0 {
			name = "image"
			if strings.HasPrefix(l.Ref, "tar:") || strings.HasPrefix(l.Ref, "sha256:") {
				kind = treeDigest
			}
		}
		if err := s.depend(name, kind, l.Digest, map[string]any{"guest": l.Guest, "observations": l.Observed}); err != nil {
			return nil, err
		}
		if lines == nil {
			continue
		}
		if kind == readDigest {
			have, err := inputs.Digest(lines, l.Guest)
			if err != nil {
				return nil, err
			}
			if have != l.Digest {
				return nil, hint.With(fmt.Errorf("the list of inputs is not that of this run: what was read of %s differs", l.Guest), "write both at once: dettrace run --report FILE --list-inputs FILE")
			}
		}
		for _, line := range lines {
			if line.Layer == l.Guest && line.Read != "" {
				if err := s.depend(line.Path, "sha256", line.Read, nil); err != nil {
					return nil, err
				}
			}
		}
	}
	return s, nil
}

// FromLock is the statement about one build of a lock.
func FromLock(name string, b *lock.Build, o Options) (*Statement, error) {
	settings := make(map[string]any, len(b.Settings))
	for _, x := range b.Settings {
		settings[x.Name] = x.Value
	}
	s := o.statement(map[string]any{"build": name, "settings": settings})
	s.outputs(b.Outputs)
	for i, src := range append([]lock.Source{b.Image}, b.Inputs...) {
		kind, what := readDigest, "input "+src.Guest
		if i == 0 {
			what = "image"
			if src.Read == nil {
				kind = treeDigest
			}
		}
		if err := s.depend(what, kind, src.Digest, map[string]any{"guest": src.Guest, "observations": len(src.Read)}); err != nil {
			return nil, err
		}
		files, err := src.Files()
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if err := s.depend(f.Path, "sha256", f.Digest, nil); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// asMap is v as JSON has it.
func asMap(v any) (map[string]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("no settings")
	}
	return m, nil
}
