package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/image"
	"dettrace/internal/report"
	"dettrace/internal/rootfs"
	"dettrace/internal/store"
)

func (c *imageCommand) showCommand() *cobra.Command {
	files, manifest := false, false
	cmd := &cobra.Command{
		Use:   "show REF",
		Short: "Show what an image is and where it came from",
		Long: `Show digest, names, size, config and history of an image; with --files the tree.
--manifest prints the canonical form that the digest is of.`,
		Example: `  dettrace image show trixie
  dettrace image show --files trixie | grep setuid
  dettrace image show --manifest trixie | sha256sum`,
		Args:              someArgs("REF", 1, 1),
		ValidArgsFunction: c.completeImages,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := c.open()
			if err != nil {
				return err
			}
			img, err := s.Resolve(args[0])
			if err != nil {
				return err
			}
			switch {
			case manifest && (files || c.json):
				return hint.With(errors.New("--manifest stands alone"), helpAdvice(cmdOf("dettrace image show")))
			case manifest:
				return c.manifest(s, img)
			case files:
				return c.files(s, img)
			}
			return c.show(s, img)
		},
	}
	cmd.Flags().BoolVar(&files, "files", false, "list the tree")
	cmd.Flags().BoolVar(&manifest, "manifest", false, "print the canonical form")
	return cmd
}

// cmdOf is a command of that path, for an advice.
func cmdOf(path string) *cobra.Command { return &cobra.Command{Use: path} }

func (c *imageCommand) manifest(s *store.Store, img store.Image) error {
	m, err := s.Manifest(img.Digest)
	if err != nil {
		return err
	}
	_, err = io.Copy(c.a.Host.Stdout, m)
	return errors.Join(err, m.Close())
}

// shown is what image show prints as JSON.
type shown struct {
	store.Image
	History []store.Origin `json:"history"`
}

func (c *imageCommand) show(s *store.Store, img store.Image) error {
	history, err := s.History(img.Digest)
	if err != nil {
		return err
	}
	if c.json {
		return c.print(shown{img, noneToEmpty(history)})
	}
	var b strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s%s\n", name, value)
		}
	}
	row("digest", img.Digest)
	row("names", strings.Join(img.Names, ", "))
	row("files", strconv.FormatInt(img.Files, 10))
	row("size", fmt.Sprintf("%s (%d bytes)", report.Bytes(img.Bytes), img.Bytes))
	row("entrypoint", words(img.Config.Entrypoint))
	row("cmd", words(img.Config.Cmd))
	row("user", img.Config.User)
	row("workdir", img.Config.WorkingDir)
	for _, kv := range img.Config.Env {
		row("env", kv)
	}
	for _, o := range history {
		text := o.Kind
		for _, part := range []string{o.Source, o.Ref, o.Resolved, o.Digest} {
			if part != "" {
				text += " " + part
			}
		}
		if o.Parent != "" {
			text += " on " + o.Parent + ": " + words(o.Command)
		}
		row("from", text)
	}
	return c.out("%s", b.String())
}

func words(list []string) string {
	var out []string
	for _, w := range list {
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`") {
			w = strconv.Quote(w)
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// entry is a file of image show --files --json.
type entry struct {
	Path   string  `json:"path"` // as image.EscapePath writes it
	Type   string  `json:"type"`
	Mode   string  `json:"mode"`
	UID    uint32  `json:"uid"`
	GID    uint32  `json:"gid"`
	Size   int64   `json:"size"`
	Mtime  *string `json:"mtime"` // null: not known
	Digest string  `json:"digest,omitempty"`
	Target string  `json:"target,omitempty"`
	Device string  `json:"device,omitempty"`
	Link   string  `json:"hard_link,omitempty"` // first name of the same file
}

func (c *imageCommand) files(s *store.Store, img store.Image) error {
	t, _, err := s.Tree(img.Digest)
	if err != nil {
		return err
	}
	var list []entry
	first := make(map[*rootfs.Node]string)
	err = t.Walk(func(p string, n *rootfs.Node) error {
		e := describeFile(p, n)
		if n.Nlink > 1 && !n.IsDir() {
			if f, ok := first[n]; ok {
				e.Link = image.EscapePath(f)
			} else {
				first[n] = p
			}
		}
		if c.json {
			list = append(list, e)
			return nil
		}
		return c.out("%s\n", e.line())
	})
	if err == nil && c.json {
		return c.print(list)
	}
	return err
}

func describeFile(p string, n *rootfs.Node) entry {
	e := entry{Path: image.EscapePath(p), Mode: fmt.Sprintf("%04o", n.Mode&0o7777), UID: n.UID, GID: n.GID, Size: n.Size}
	if !n.Implied {
		text := time.Unix(0, n.Mtime).UTC().Format(time.RFC3339Nano)
		e.Mtime = &text
	}
	switch n.Type() {
	case unix.S_IFDIR:
		e.Type = "dir"
	case unix.S_IFREG:
		e.Type, e.Digest = "file", fmt.Sprintf("sha256:%x", n.Digest)
	case unix.S_IFLNK:
		e.Type, e.Target = "symlink", image.EscapePath(n.Target)
	case unix.S_IFCHR:
		e.Type = "char"
	case unix.S_IFBLK:
		e.Type = "block"
	case unix.S_IFIFO:
		e.Type = "fifo"
	}
	if n.Rdev != 0 {
		e.Device = fmt.Sprintf("%d:%d", unix.Major(n.Rdev), unix.Minor(n.Rdev))
	}
	return e
}

// line is like one of ls -l.
func (e entry) line() string {
	mtime := "-"
	if e.Mtime != nil {
		mtime = *e.Mtime
	}
	size := strconv.FormatInt(e.Size, 10)
	if e.Device != "" {
		size = e.Device
	}
	text := fmt.Sprintf("%-7s %s %d:%d %10s %-20s %s", e.Type, e.Mode, e.UID, e.GID, size, mtime, e.Path)
	switch {
	case e.Link != "":
		text += " = " + e.Link
	case e.Type == "symlink":
		text += " -> " + e.Target
	}
	return text
}
