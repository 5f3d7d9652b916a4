package image

import (
	"crypto/sha256"
	"encoding/binary"
)

// pathIno is the identity of a file by its path in the layer. The hash is a
// cryptographic one so that no archive can choose names which collide.
// 0 means "no inode" to many programs and the first few numbers belong to
// others (1 is a root), so small ones are moved up.
func pathIno(path string) uint64 {
	sum := sha256.Sum256([]byte(path))
	x := binary.BigEndian.Uint64(sum[:8]) >> 1
	if x < 16 {
		x += 16
	}
	return x
}

// dirSize is the size of every directory: the host's depends on the file
// system and on names that were there once.
const dirSize = 4096
