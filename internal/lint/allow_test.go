package lint

// exception is a use that the rule would refuse, and why it is right.
type exception struct {
	file, function, what string
	reason               string
}

func allowed() []exception {
	return []exception{
		{"internal/image/tar.go", "tarNode.ReadDir", "range over map", "the list is sorted by name before it is returned"},
		{"internal/detfs/fs_dir.go", "fsys.listing", "range over map", "the list is sorted by name before it is returned"},
		{"internal/detfs/walk.go", "sortedNames", "range over map", "this is the function that sorts"},
	}
}
