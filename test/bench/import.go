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

	"golang.org/x/sys/unix"
)

// ImportRow is how fast an archive becomes an image of the store, beside what has to be
// done for it: its bytes are hashed, and its files written and brought to the disk.
type ImportRow struct {
	Name   string `json:"name"`
	MB     int    `json:"mb"`
	Hash   passes `json:"sha256"` // crypto/sha256 of the archive, by one thread
	Write  passes `json:"write"`  // tar -x of it beside the store, and syncfs(2)
	Import passes `json:"import"`
	Again  passes `json:"again"` // when all content is in the store
	Error  string `json:"error,omitempty"`
}

// passes are what the rounds of a step took, in seconds; CPU time is the steadier
// figure beside other work.
type passes struct {
	Wall spread `json:"wall_s"`
	CPU  spread `json:"cpu_s"`
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
	var hash, write, first, again [2][]float64 // wall and CPU
	// Nothing is removed meanwhile: ext4 avoids inodes that were freed in the last
	// seconds, and searches long for others.
	var store, tree string
	image := func() error {
		c := exec.CommandContext(ctx, dettrace, "image", "import", "--progress", "none", "--store", store, archive, "bench")
		var diag bytes.Buffer
		c.Stderr = &diag
		if err := c.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, lastLine(diag.String()))
		}
		return nil
	}
	for i := range rounds {
		store, tree = filepath.Join(dir, fmt.Sprint(row.Name, " store ", i)), filepath.Join(dir, fmt.Sprint(row.Name, " tree ", i))
		for _, step := range []struct {
			times *[2][]float64
			do    func() error
		}{
			{&hash, func() error { return pour(archive, sha256.New()) }},
			{&write, func() error { return extract(ctx, archive, tree) }},
			{&first, image},
			{&again, image},
		} {
			start, cpu := time.Now(), used()
			if err := step.do(); err != nil {
				return err
			}
			step.times[0] = append(step.times[0], time.Since(start).Seconds())
			step.times[1] = append(step.times[1], used()-cpu)
		}
	}
	for to, times := range map[*passes]*[2][]float64{&row.Hash: &hash, &row.Write: &write, &row.Import: &first, &row.Again: &again} {
		*to = passes{spreadOf(times[0]), spreadOf(times[1])}
	}
	return nil
}

// used is the CPU time of this process and of its children that ended, in seconds.
func used() (s float64) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			s += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
		}
	}
	return s
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

func extract(ctx context.Context, archive, tree string) error {
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "tar", "-C", tree, "-xf", archive).CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, lastLine(string(out)))
	}
	f, err := os.Open(tree)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
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
