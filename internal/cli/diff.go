package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dettrace/internal/compare"
	"dettrace/internal/hint"
	"dettrace/internal/settings"
	"dettrace/internal/store"
)

type diffFlags struct {
	options compare.Options
	only    []string
	stat    bool
	json    bool
	store   string
}

func (a App) diffCommand(status *int) *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [flags] A B",
		Short: "Compare two trees: directories, tars, images, or single files",
		Long: `Compare two trees file by file: directories, tars (plain, gzip, xz, zstd,
bzip2; dettrace run --save), images of the store (by name, image:NAME or
sha256:PREFIX), or two single files. Says of each file in what it
differs: content and from which byte, mode, owner, time, link, missing; shows
the lines of small text files; and looks into ar, tar, zip, gzip, xz, zstd,
bzip2 and .deb, so that the member that differs is named.

Exit status: 0 the same, 1 different, 2 trouble.`,
		Example: `  dettrace diff build-1 build-2
  dettrace diff --stat first.tar second.tar
  dettrace diff trixie trixie-next
  dettrace diff hello_1_amd64.deb other/hello_1_amd64.deb
  dettrace diff --ignore-times --ignore-owners --only 'usr/lib/*' a b
  dettrace diff --json a.tar b.tar`,
		Args:                  someArgs("A B", 2, 2),
		DisableFlagsInUseLine: true,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) >= 2 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.imageNames(f.store), cobra.ShellCompDirectiveDefault
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var err error
			*status, err = a.diff(f, args[0], args[1])
			return err
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.stat, "stat", false, "one line for each file, and a count")
	fs.StringArrayVar(&f.only, "only", nil, "compare only these `PATH`s or globs, relative to the trees (repeatable)")
	fs.BoolVar(&f.options.IgnoreTimes, "ignore-times", false, "file times do not count; those inside archives do")
	fs.BoolVar(&f.options.IgnoreOwners, "ignore-owners", false, "owners do not count; those inside archives do")
	fs.StringVar(&f.store, "store", "", "`DIR` of the store of images (default as for dettrace image)")
	_ = cmd.MarkFlagDirname("store") // fails only for a flag that does not exist; a test covers it
	fs.BoolVar(&f.json, "json", false, "print the result as JSON")
	fs.SortFlags = false
	return cmd
}

func (a App) diff(f diffFlags, nameA, nameB string) (int, error) {
	trees, err := a.trees(f, [2]string{nameA, nameB})
	for _, t := range trees {
		if t != nil {
			defer t.Close() // only read: nothing can be lost
		}
	}
	if err != nil {
		return exitTrouble, err
	}
	if one, other := trees[0].Single(), trees[1].Single(); one != other {
		if other {
			nameA, nameB = nameB, nameA
		}
		return exitTrouble, hint.With(fmt.Errorf("%s is one file, and %s a tree", nameA, nameB), "directories, archives and images are trees")
	}
	f.options.NoText = f.stat
	diffs, err := compare.Trees(trees[0], trees[1], f.options)
	if err != nil {
		return exitTrouble, err
	}
	if err := f.tell(a.Host.Stdout, diffs, trees); err != nil {
		return exitTrouble, err
	}
	if len(diffs) > 0 {
		return exitDifferent, nil
	}
	return exitSame, nil
}

// trees opens both sides: paths, or images of the store.
func (a App) trees(f diffFlags, names [2]string) (trees [2]*compare.Tree, err error) {
	var stores [2]*store.Store
	var images [2]store.Image
	for i, name := range names {
		var ok bool
		if stores[i], images[i], ok, err = settings.FindStored(name, f.store, a.Host); err != nil {
			return trees, err
		} else if !ok {
			stores[i] = nil
		}
	}
	both := stores[0] != nil && stores[1] != nil
	for i, name := range names {
		if s := stores[i]; s != nil {
			trees[i], err = compare.Image(s, images[i].Digest, both)
		} else {
			trees[i], err = compare.Open(name)
		}
		if err == nil && len(f.only) > 0 {
			err = trees[i].Only(f.only)
		}
		if err != nil {
			return trees, err
		}
	}
	return trees, nil
}

func (f diffFlags) tell(w io.Writer, diffs []compare.Difference, trees [2]*compare.Tree) error {
	if f.json {
		if diffs == nil {
			diffs = []compare.Difference{}
		}
		return writeJSON(w, struct {
			Result string               `json:"result"`
			A      int                  `json:"files_a"`
			B      int                  `json:"files_b"`
			Diffs  []compare.Difference `json:"differences"`
		}{map[bool]string{true: "same", false: "different"}[len(diffs) == 0], len(trees[0].Files), len(trees[1].Files), diffs})
	}
	if err := compare.Text(w, diffs, f.stat); err != nil {
		return err
	}
	if !f.stat {
		return nil
	}
	_, err := fmt.Fprintf(w, "%d of %d files differ\n", len(diffs), max(len(trees[0].Files), len(trees[1].Files)))
	return err
}
