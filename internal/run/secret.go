package run

import (
	"io"
	"slices"

	"dettrace/internal/image"
	"dettrace/internal/redact"
)

// Mask takes the values of s.Secrets out of texts; nil if there are none.
func (s *Spec) Mask() *redact.Mask { return redact.New(s.SecretPairs()) }

// MaskedCommand is s.Command without the values of s.Secrets.
func (s *Spec) MaskedCommand() []string {
	out, mask := slices.Clone(s.Command), s.Mask()
	for i := range out {
		out[i] = mask.Text(out[i])
	}
	return out
}

// SecretPairs are the variables of s.Secrets with their values.
func (s *Spec) SecretPairs() []string {
	var pairs []string
	for _, name := range s.Secrets {
		for _, kv := range s.Env {
			if len(kv) > len(name) && kv[:len(name)] == name && kv[len(name)] == '=' {
				pairs = append(pairs, kv)
			}
		}
	}
	return pairs
}

// hideSecrets puts the mask in front of the event log and the messages. The
// result writes what it holds back.
func (c *container) hideSecrets() func() error {
	c.mask = c.spec.Mask()
	if c.mask == nil {
		return func() error { return nil }
	}
	if c.spec.Diag != nil {
		c.spec.Diag = c.mask.Writer(c.spec.Diag, true)
	}
	if c.spec.Log == nil {
		return func() error { return nil }
	}
	log := c.mask.Writer(c.spec.Log, false)
	c.spec.Log = log
	return log.Flush
}

// masked is a writer without secrets for one file: write's output goes through
// it.
func (c *container) masked(write func(io.Writer) error) func(io.Writer) error {
	if c.mask == nil {
		return write
	}
	return func(w io.Writer) error {
		m := c.mask.Writer(w, false)
		if err := write(m); err != nil {
			return err
		}
		return m.Flush()
	}
}

// hideInputs takes secrets out of names that the guest looked up, and out of the
// digests over them.
func (c *container) hideInputs() {
	if c.mask == nil {
		return
	}
	for i := range c.learned {
		l := &c.learned[i]
		lazy := l.Digest == image.ObservedDigest(l.Observations)
		for j := range l.Observations {
			o := &l.Observations[j]
			o.Path, o.Text = c.mask.Text(o.Path), c.mask.Text(o.Text)
		}
		if lazy {
			l.Digest = image.ObservedDigest(l.Observations)
		}
	}
}
