package image

import "dettrace/internal/rootfs"

// pathIno is the identity of a file by its path in the layer.
func pathIno(path string) uint64 { return rootfs.PathIno(path) }

// dirSize is the size of every directory: the host's depends on the file
// system and on names that were there once.
const dirSize = 4096
