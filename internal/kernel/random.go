package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/host"
	"dettrace/internal/procfs"
)

// stream is a seeded source of random bytes: ChaCha8 as math/rand/v2
// specifies it, keyed with the SHA-256 of purpose and seed.
type stream struct {
	c     *rand.ChaCha8
	ahead []byte // of the stream, drawn and not yet given
	given uint64 // bytes
}

func newStream(seed uint64, purpose string) *stream {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	return &stream{c: rand.NewChaCha8(sha256.Sum256(append([]byte("dettrace "+purpose+"\x00"), b[:]...)))}
}

func (s *stream) bytes(n int) []byte {
	p := make([]byte, n)
	k := copy(p, s.ahead)
	s.ahead = s.ahead[k:]
	s.c.Read(p[k:])
	s.given += uint64(n)
	return p
}

// peek is what bytes will return. It is valid until the next call.
func (s *stream) peek(n int) []byte {
	if k := len(s.ahead); k < n {
		more := make([]byte, n)
		copy(more, s.ahead)
		s.c.Read(more[k:])
		s.ahead = more
	}
	return s.ahead[:n]
}

// BootID is what /proc/sys/kernel/random/boot_id says in a run with that seed.
func BootID(seed uint64) string {
	return uuid(newStream(seed, "boot id").bytes(16))
}

// HostBootID is one of the host's entropy, of this run only.
func HostBootID() (string, error) {
	var b [16]byte
	err := host.Random(b[:])
	return uuid(b[:]), err
}

func uuid(b []byte) string { return strings.TrimSpace(string(procfs.UUID([16]byte(b)))) }

// getrandom(2) never blocks: the pool is always initialised.
func sysGetrandom(k *Kernel, t *Task) verdict {
	flags := uint32(t.arg(2))
	if flags&^uint32(unix.GRND_NONBLOCK|unix.GRND_RANDOM|unix.GRND_INSECURE) != 0 ||
		flags&(unix.GRND_RANDOM|unix.GRND_INSECURE) == unix.GRND_RANDOM|unix.GRND_INSECURE {
		return t.fail(unix.EINVAL)
	}
	n := int(min(t.arg(1), maxRandom))
	if !t.write(t.arg(0), k.random(t, n, "getrandom")) {
		return t.fail(unix.EFAULT)
	}
	return t.done(int64(n))
}
