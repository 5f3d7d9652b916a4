package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Config is the part of an image's configuration that a run depends on, under
// the names of the OCI image specification. It belongs to the identity.
type Config struct {
	Cmd        []string `json:"Cmd,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Env        []string `json:"Env,omitempty"` // K=V
	User       string   `json:"User,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
}

// Canonical is "" for an empty config, else JSON without blanks, members sorted.
func (c Config) Canonical() (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		return "", fmt.Errorf("image config: %w", err)
	}
	s := strings.TrimSuffix(b.String(), "\n")
	if s == "{}" {
		return "", nil
	}
	return s, nil
}

// ParseConfig reads the canonical form.
func ParseConfig(s string) (Config, error) {
	var c Config
	if s == "" {
		return c, nil
	}
	if err := json.Unmarshal([]byte(s), &c); err != nil {
		return c, fmt.Errorf("image config: %w", err)
	}
	return c, c.check()
}

// check refuses what no kernel could pass to a program.
func (c Config) check() error {
	for _, list := range [][]string{c.Cmd, c.Entrypoint, c.Env, {c.User, c.WorkingDir}} {
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return fmt.Errorf("image config: %q holds a NUL", s)
			}
		}
	}
	for _, kv := range c.Env {
		if i := strings.IndexByte(kv, '='); i < 1 {
			return fmt.Errorf("image config: Env %q: not NAME=VALUE", kv)
		}
	}
	return nil
}
