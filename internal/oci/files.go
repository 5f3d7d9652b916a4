package oci

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/image"
)

// files reads single files of a directory or an archive. Names come from what
// others wrote: they and the symlinks on their way are resolved inside only.
type files struct{ l image.Layer }

func (f files) find(p string) (image.Node, error) {
	top, err := f.l.Root()
	if err != nil {
		return nil, err
	}
	stack := []image.Node{top}
	todo := strings.Split(p, "/")
	for links := 0; len(todo) > 0; {
		c := todo[0]
		todo = todo[1:]
		switch c {
		case "", ".":
			continue
		case "..":
			stack = stack[:max(1, len(stack)-1)]
			continue
		}
		n, err := stack[len(stack)-1].Lookup(c)
		if err != nil {
			return nil, err
		}
		if n.Meta().Mode&unix.S_IFMT != unix.S_IFLNK {
			stack = append(stack, n)
			continue
		}
		if links++; links > 40 {
			return nil, unix.ELOOP
		}
		to, err := n.Readlink()
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(to, "/") {
			stack = stack[:1]
		}
		todo = append(strings.Split(to, "/"), todo...)
	}
	return stack[len(stack)-1], nil
}

// open opens a regular file; the second result is its size.
func (f files) open(p string) (io.ReadCloser, int64, error) {
	n, err := f.find(p)
	if err == nil && n.Meta().Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%.300s: %w", p, err)
	}
	file, err := n.Open()
	if err != nil {
		return nil, 0, fmt.Errorf("%.300s: %w", p, err)
	}
	size := n.Meta().Size
	return section{io.NewSectionReader(file, 0, size), file}, size, nil
}

type section struct {
	io.Reader
	io.Closer
}

// read reads a small file whole.
func (f files) read(p string) ([]byte, error) {
	r, size, err := f.open(p)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > maxJSON {
		return nil, fmt.Errorf("%.300s: %d bytes are too many", p, size)
	}
	return io.ReadAll(r)
}

func (f files) has(p string) bool {
	n, err := f.find(p)
	return err == nil && n.Meta().Mode&unix.S_IFMT == unix.S_IFREG
}
