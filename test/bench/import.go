package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// ImportRow is how fast an archive becomes an image of the store, beside what has to be
// done for it: its bytes are hashed, and written and brought to the disk.
type ImportRow struct {
	Name   string `json:"name"`
	MB     int    `json:"mb"`
	Hash   spread `json:"sha256_s"` // crypto/sha256 of the archive, by one thread
	Write  spread `json:"write_s"`  // a copy of it beside the store, with fsync(2)
	Import spread `json:"import_s"`
	Again  spread `json:"again_s"` // when all content is in the store
	Error  string `json:"error,omitempty"`
}

// importRows measures imports of mb MB of random bytes in a few large files, and in many
// small ones, the steps of one round after the other.
func importRows(ctx context.Context, dettrace string, mb, rounds int) ([]ImportRow, error) {
	if mb == 0 {
		return nil, nil
	}
	dir, err := os.MkdirTemp("/var/tmp", "dettrace-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var rows []ImportRow
	for _, size := range []int{64 << 20, 64 << 10} {
		files := mb << 20 / size
		row := ImportRow{Name: fmt.Sprintf("image import of a tar, %d files of %d KB", files, size>>10), MB: mb}
		fmt.Fprintln(os.Stderr, "bench:", row.Name)
		archive := filepath.Join(dir, "image.tar")
		if err := writeRandom(archive, files, size); err != nil {
			return rows, err
		}
		if err := row.measure(ctx, dettrace, archive, dir, rounds); err != nil {
			row.Error = err.Error()
		}
		rows = append(rows, row)
		if ctx.Err() != nil {
			return rows, ctx.Err()
		}
	}
	return rows, nil
}

func (row *ImportRow) measure(ctx context.Context, dettrace, archive, dir string, rounds int) error {
	var hash, write, first, again []float64
	store := filepath.Join(dir, "store")
	image := func() error {
		c := exec.CommandContext(ctx, dettrace, "image", "import", "--progress", "none", "--store", store, archive, "bench")
		var diag bytes.Buffer
		c.Stderr = &diag
		if err := c.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, lastLine(diag.String()))
		}
		return nil
	}
	for range rounds {
		for _, step := range []struct {
			times *[]float64
			do    func() error
		}{
			{&hash, func() error { return pour(archive, sha256.New()) }},
			{&write, func() error { return synced(archive, filepath.Join(dir, "copy")) }},
			{&first, image},
			{&again, image},
		} {
			start := time.Now()
			if err := step.do(); err != nil {
				return err
			}
			*step.times = append(*step.times, time.Since(start).Seconds())
		}
		if err := errors.Join(os.Remove(filepath.Join(dir, "copy")), os.RemoveAll(store)); err != nil {
			return err
		}
	}
	row.Hash, row.Write, row.Import, row.Again = spreadOf(hash), spreadOf(write), spreadOf(first), spreadOf(again)
	return nil
}

func pour(name string, to io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read: nothing can be lost
	_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return err
}

func synced(from, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(pour(from, f), f.Sync(), f.Close())
}

// writeRandom writes an archive of files of size bytes each, all different, and of the
// same bytes each time.
func writeRandom(name string, files, size int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	w := tar.NewWriter(b)
	source := rand.NewChaCha8([32]byte{1})
	for i := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("d%03d/f%d", i/100, i), Mode: 0o644, Size: int64(size), Format: tar.FormatPAX, ModTime: time.Unix(1e9, 0)}
		if err = w.WriteHeader(h); err == nil {
			_, err = io.CopyN(w, source, int64(size))
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Close(), b.Flush(), f.Close())
}
