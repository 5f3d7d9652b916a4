package real

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dettrace/test/docs"
)

// TestDocs runs the blocks of README.md and the how-tos that need a Debian image.
func TestDocs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs the image of fetch.sh")
	}
	tree := filepath.Join(cacheDir(t), "image", "debian")
	if _, err := os.Stat(tree); err != nil || os.Geteuid() != 0 {
		t.Skip("no image: run test/real/fetch.sh as root")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := docs.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	r := docs.Runner{Root: root, Dettrace: filepath.Dir(binary(t)), Tree: tree}
	ran := 0
	for _, file := range files {
		blocks, err := docs.Blocks(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range docs.Sections(blocks) {
			if docs.NeedsTree(s) {
				ran++
				t.Run(fmt.Sprintf("%s/%s", s[0].File, s[0].Section), func(t *testing.T) { r.Section(t, s) })
			}
		}
	}
	if ran == 0 {
		t.Error("no block needs the image")
	}
}
