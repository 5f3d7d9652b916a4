package verify

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"dettrace/internal/exchange"
	"dettrace/internal/perturb"
	"dettrace/internal/store"
)

// image gives the flags that make a host's run begin with a copy of the image in
// dir, if the host is one with copies, and whether any user can read the image.
// An image that cannot be copied is used where it is, with a note.
func (p *Program) image(ctx context.Context, h perturb.Host, dir string, o *Outcome) (flags []string, anybody bool) {
	if p.Image == "host" {
		if h.Copy {
			o.Notes = append(o.Notes, "image host is used where it is: its inode numbers and its file system are those of every run, only the order of its directories is another")
		}
		return nil, true
	}
	if !h.Copy {
		return nil, false
	}
	to := filepath.Join(dir, "image")
	flags, err := p.copyImage(ctx, to, h.Cold)
	if err != nil {
		o.Notes = append(o.Notes, fmt.Sprintf("image %s is used where it is: %v", p.Image, err))
		return nil, false
	}
	// The owners of a directory's files are the image's, those of a tar or a store
	// are in them.
	return flags, !strings.HasPrefix(p.Image, "dir:")
}

func (p *Program) copyImage(ctx context.Context, to string, cold bool) (flags []string, err error) {
	room := int64(perturb.MaxCopy)
	kind, path, _ := strings.Cut(p.Image, ":")
	switch kind {
	case "dir":
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
		flags, err = []string{"--image=dir:" + to}, perturb.CopyImage(path, to, &room, p.Dir.Path)
	case "tar":
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
		flags, err = []string{"--image=tar:" + to}, perturb.Copy(path, to, &room, p.Dir.Path)
	default:
		flags, err = []string{"--store=" + to}, p.copyStored(ctx, to)
	}
	if err == nil && cold {
		err = perturb.Chill(to)
	}
	return flags, err
}

// copyStored puts the image into a store of its own.
func (p *Program) copyStored(ctx context.Context, to string) error {
	from, err := store.Open(p.Store)
	if err != nil {
		return err
	}
	img, err := from.Resolve(p.Image)
	if err != nil {
		return err
	}
	if img.Bytes > perturb.MaxCopy {
		return perturb.ErrTooLarge
	}
	copied, err := store.Open(to)
	if err != nil {
		return err
	}
	return exchange.Copy(ctx, from, img.Digest, copied)
}
