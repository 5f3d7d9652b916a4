package detfs

import (
	"dettrace/internal/digests"
	"dettrace/internal/image"
	images "dettrace/internal/store"
)

// openImage opens a mount's layer: an image of the store, or what package
// image understands.
func openImage(m Mount, epoch int64, known *digests.Cache) (image.Layer, error) {
	if m.Store == "" {
		return image.Open(m.Ref, image.Options{KeepMtime: m.KeepMtime, Follow: m.FollowLinks, Hide: m.Hide, HostOrder: m.HostOrder, Epoch: epoch, Digests: known})
	}
	s, err := images.Open(m.Store)
	if err != nil {
		return nil, err
	}
	return s.OpenLayer(m.Ref, epoch)
}
