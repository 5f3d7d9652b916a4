package console

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Sum is the digest of what a guest wrote to its terminal. The zero value is that
// of nothing.
type Sum struct{ h hash.Hash }

func (s *Sum) add(p []byte) {
	if s.h == nil {
		s.h = sha256.New()
	}
	s.h.Write(p)
}

func (s *Sum) String() string {
	s.add(nil)
	return "sha256:" + hex.EncodeToString(s.h.Sum(nil))
}
