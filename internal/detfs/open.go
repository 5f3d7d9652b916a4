package detfs

import (
	"errors"
	"fmt"

	"dettrace/internal/image"
)

// openImage opens a mount's layer as package image understands it.
func openImage(m Mount) (image.Layer, error) {
	return nil, fmt.Errorf("detfs: %s: %w", m.Ref, errors.ErrUnsupported)
}
