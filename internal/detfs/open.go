package detfs

import "dettrace/internal/image"

// openImage opens a mount's layer as package image understands it.
func openImage(m Mount, epoch int64) (image.Layer, error) {
	return image.Open(m.Ref, image.Options{KeepMtime: m.KeepMtime, Follow: m.FollowLinks, Epoch: epoch})
}
