package procfs

import (
	"encoding/hex"
	"strings"
)

// UUID formats 16 random bytes as a version 4 UUID with a newline, as
// random(4) describes for /proc/sys/kernel/random/uuid.
func UUID(b [16]byte) []byte {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return []byte(strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-") + "\n")
}

func randomUUID(n *Normaliser, _ where, _ []byte, _ Facts) ([]byte, bool) {
	if n.Random == nil {
		return nil, false
	}
	var b [16]byte
	n.Random(b[:])
	return UUID(b), true
}
