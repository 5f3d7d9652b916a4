package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"dettrace/internal/hint"
)

// Types of the formats.
const (
	StatementType  = "https://in-toto.io/Statement/v1"
	ProvenanceType = "https://slsa.dev/provenance/v1"
	// BuildType tells how the parameters are to be read: see docs/attest.md.
	BuildType = "urn:dettrace:run:v1"
	// DefaultBuilder is the builder's id unless somebody takes responsibility
	// for it.
	DefaultBuilder = "urn:dettrace:local"
)

// Kinds of digests beside sha256.
const (
	// readDigest is over everything that was read of a source, as `dettrace
	// run --list-inputs` lists it.
	readDigest = "dettraceRead1"
	// treeDigest is over the canonical manifest of a whole image.
	treeDigest = "dettraceTree1"
)

// Statement is an in-toto statement with SLSA provenance.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     Provenance `json:"predicate"`
}

// Resource is an artifact or what one was made from.
type Resource struct {
	Name        string            `json:"name"`
	Digest      map[string]string `json:"digest,omitempty"` // hex, by kind
	Annotations map[string]any    `json:"annotations,omitempty"`
}

// Provenance is the predicate.
type Provenance struct {
	BuildDefinition BuildDefinition `json:"buildDefinition"`
	RunDetails      RunDetails      `json:"runDetails"`
}

// BuildDefinition is all that went in.
type BuildDefinition struct {
	BuildType            string         `json:"buildType"`
	ExternalParameters   map[string]any `json:"externalParameters"`
	InternalParameters   map[string]any `json:"internalParameters,omitempty"`
	ResolvedDependencies []Resource     `json:"resolvedDependencies"`
}

// RunDetails is who built.
type RunDetails struct {
	Builder    Builder    `json:"builder"`
	Byproducts []Resource `json:"byproducts,omitempty"`
}

// Builder is who built.
type Builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// Options say what a statement takes from outside.
type Options struct {
	Builder string // id; "" for DefaultBuilder
	Version string // of dettrace
}

// new makes a statement without subjects and dependencies.
func (o Options) statement(parameters map[string]any) *Statement {
	s := &Statement{Type: StatementType, PredicateType: ProvenanceType, Subject: []Resource{}}
	d := &s.Predicate.BuildDefinition
	d.BuildType, d.ExternalParameters, d.ResolvedDependencies = BuildType, parameters, []Resource{}
	b := &s.Predicate.RunDetails.Builder
	if b.ID = o.Builder; b.ID == "" {
		b.ID = DefaultBuilder
	}
	if o.Version != "" {
		b.Version = map[string]string{"dettrace": o.Version}
	}
	return s
}

// depend adds something that was read; digest is "sha256:HEX".
func (s *Statement) depend(name, kind, digest string, notes map[string]any) error {
	hex, ok := strings.CutPrefix(digest, "sha256:")
	if !ok {
		return fmt.Errorf("%s: no digest", name)
	}
	d := &s.Predicate.BuildDefinition
	d.ResolvedDependencies = append(d.ResolvedDependencies, Resource{Name: name, Digest: map[string]string{kind: hex}, Annotations: notes})
	return nil
}

// Marshal gives the payload.
func (s *Statement) Marshal() ([]byte, error) {
	if len(s.Subject) == 0 {
		return nil, hint.With(errors.New("nothing was made that could be attested"), "name outputs: dettrace run -o PATH, or outputs = [...] in dettrace.toml")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Parse reads a payload whose signature was verified.
func Parse(payload []byte) (*Statement, error) {
	var s Statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, fmt.Errorf("%w: statement: %w", ErrNotVerified, err)
	}
	switch {
	case s.Type != StatementType:
		return nil, fmt.Errorf("%w: a statement of type %q", ErrNotVerified, s.Type)
	case s.PredicateType != ProvenanceType:
		return nil, fmt.Errorf("%w: a predicate of type %q, no SLSA provenance v1", ErrNotVerified, s.PredicateType)
	case len(s.Subject) == 0:
		return nil, fmt.Errorf("%w: a statement about nothing", ErrNotVerified)
	}
	return &s, nil
}

// Names gives the names of the subjects with this SHA-256 ("sha256:HEX").
func (s *Statement) Names(digest string) []string {
	var names []string
	for _, r := range s.Subject {
		if have, ok := r.Digest["sha256"]; ok && "sha256:"+have == digest {
			names = append(names, r.Name)
		}
	}
	return names
}
