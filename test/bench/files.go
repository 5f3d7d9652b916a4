package main

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// writeTar writes count files of 1 KB below "files/".
func writeTar(path string, count int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<20)
	w := tar.NewWriter(buffered)
	data := make([]byte, 1024)
	for i := range count {
		if i%100 == 0 {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprintf("files/d%05d/", i/100), Mode: 0o755}); err != nil {
				return err
			}
		}
		copy(data, fmt.Sprintf("file %d\n", i))
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("files/d%05d/f%d", i/100, i), Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// makeImage makes a directory image of count files at little cost: a static
// program and hard links of one file, as many as ext4 allows per inode.
func makeImage(dir, micro string, count int) error {
	stamp := filepath.Join(dir, "complete")
	if _, err := os.Stat(stamp); err == nil {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		return err
	}
	program, err := os.ReadFile(micro)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "micro"), program, 0o755); err != nil {
		return err
	}
	const perDir, perInode = 1000, 50_000
	var sub, first string
	for i := range count {
		if i%perDir == 0 {
			sub = filepath.Join(dir, "many", fmt.Sprintf("d%04d", i/perDir))
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		name := filepath.Join(sub, fmt.Sprintf("file-%07d", i))
		if i%perInode == 0 {
			if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
				return err
			}
			first = name
			continue
		}
		if err := os.Link(first, name); err != nil {
			return err
		}
	}
	return os.WriteFile(stamp, nil, 0o644)
}

// compileMicro builds the loops statically, so that they run in an image
// that has nothing else.
func compileMicro(cache, source string) (string, error) {
	out := filepath.Join(cache, "bench", "micro")
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	if text, err := exec.Command("gcc", "-O2", "-static", "-o", out, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc %s: %w\n%s", source, err, text)
	}
	return out, nil
}

// copyInto copies the tree from into the directory to, which exists.
func copyInto(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || name == "." {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case d.IsDir():
			return os.Mkdir(target, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	})
}
