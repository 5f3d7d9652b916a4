package detfs

import (
	"dettrace/internal/digests"
	"dettrace/internal/image"
)

// openImage opens a mount's layer as package image understands it.
func openImage(m Mount, epoch int64, known *digests.Cache) (image.Layer, error) {
	return image.Open(m.Ref, image.Options{KeepMtime: m.KeepMtime, Follow: m.FollowLinks, Epoch: epoch, Digests: known})
}
