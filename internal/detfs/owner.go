package detfs

import "fmt"

// LabelInput is the Mount.Label of an input.
const LabelInput = "input"

// isInput reports whether n comes from the layer of an input.
func (f *fsys) isInput(n *node) bool {
	return n.lower != nil && n.mount >= 0 && int(n.mount) < len(f.cfg.Mounts) && f.cfg.Mounts[n.mount].Label == LabelInput
}

// ownInputs is Client.OwnInputs.
func (f *fsys) ownInputs(uid, gid uint32, dirs []string) error {
	f.inputUID, f.inputGID = uid, gid
	for _, n := range f.nodes {
		if n != nil && f.isInput(n) && n.flags&flagMeta == 0 {
			n.uid, n.gid = uid, gid
		}
	}
	for _, dir := range dirs {
		n, errno := f.at(dir)
		if errno != 0 {
			return fmt.Errorf("detfs: owner of %s: %w", dir, errno)
		}
		if n.flags&flagPremade != 0 {
			n.uid, n.gid = uid, gid
		}
	}
	return nil
}
