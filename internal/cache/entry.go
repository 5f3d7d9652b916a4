package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/image"
	"dettrace/internal/report"
)

// entry is a stored run.
type entry struct {
	Parts   []Part              `json:"settings"`
	Learned blob                `json:"learned"` // see writeObservations
	Digests []string            `json:"digests"` // detfs.Learned.Digest of each layer
	Stdio   blob                `json:"stdio"`
	Tars    map[string]blob     `json:"tars"`  // by request
	Globs   map[string][]string `json:"globs"` // escaped paths, by pattern
	Summary detfs.Summary       `json:"summary"`
	Report  report.Report       `json:"report"`

	key, id string
}

// blobs are those that e needs, in a fixed order.
func (e *entry) blobs() []blob {
	out := []blob{e.Learned, e.Stdio}
	for _, name := range slices.Sorted(maps.Keys(e.Tars)) {
		out = append(out, e.Tars[name])
	}
	return out
}

func (c *Cache) entryDir(key string) string { return filepath.Join(c.dir, "entries", key) }

// write puts e into the workspace and then to its place.
func (c *Cache) write(e *entry, w *workspace) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	text := append([]byte(hex.EncodeToString(sum[:])+"\n"), body...)
	from := filepath.Join(w.path, "entry")
	if err := os.WriteFile(from, text, 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll(c.entryDir(e.key), 0o700); err != nil {
		return err
	}
	return os.Rename(from, filepath.Join(c.entryDir(e.key), e.id))
}

// read reads an entry and checks it.
func (c *Cache) read(key, id string) (*entry, error) {
	b, err := os.ReadFile(filepath.Join(c.entryDir(key), id))
	if err != nil {
		return nil, err
	}
	sum, body, _ := bytes.Cut(b, []byte("\n"))
	if want := sha256.Sum256(body); string(sum) != hex.EncodeToString(want[:]) {
		return nil, fmt.Errorf("entry %s: %w", id, errDamaged)
	}
	e := &entry{key: key, id: id}
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("entry %s: %w", id, err)
	}
	return e, nil
}

// use makes e the last used.
func (c *Cache) use(e *entry) {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	_ = unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(c.entryDir(e.key), e.id), now, 0)
}

// found is an entry's file.
type found struct {
	key, id string
	used    int64 // ns since 1970
	size    int64
}

// list gives the entries below key, last used first.
func (c *Cache) list(key string) []found {
	names, err := os.ReadDir(c.entryDir(key))
	if err != nil {
		return nil
	}
	var out []found
	for _, n := range names {
		if info, err := n.Info(); err == nil && info.Mode().IsRegular() {
			out = append(out, found{key, n.Name(), info.ModTime().UnixNano(), info.Size()})
		}
	}
	sortFound(out)
	return out
}

func sortFound(list []found) {
	slices.SortFunc(list, func(a, b found) int {
		if a.used != b.used {
			if a.used > b.used {
				return -1
			}
			return 1
		}
		return strings.Compare(a.key+a.id, b.key+b.id)
	})
}

// all gives every entry, last used first.
func (c *Cache) all() []found {
	keys, err := os.ReadDir(filepath.Join(c.dir, "entries"))
	if err != nil {
		return nil
	}
	var out []found
	for _, k := range keys {
		out = append(out, c.list(k.Name())...)
	}
	sortFound(out)
	return out
}

// A set of observations is text: a line "layer" for each layer, then a line for
// each of its observations, fields divided by tabs. It is read at every hit, and
// ten times faster than JSON.
func appendObservations(b []byte, layers []detfs.Learned) []byte {
	for _, l := range layers {
		b = append(b, "layer\n"...)
		for _, o := range l.Observations {
			b = append(b, o.Kind...)
			for _, s := range []string{image.EscapePath(o.Path), o.Digest, image.EscapePath(o.Text)} {
				b = append(append(b, '\t'), s...)
			}
			b = append(b, '\n')
		}
	}
	return b
}

func parseObservations(b []byte) ([][]image.Observation, error) {
	var out [][]image.Observation
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "layer" {
			out = append(out, nil)
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 || len(out) == 0 {
			return nil, fmt.Errorf("observations: %w", errDamaged)
		}
		path, err := image.UnescapePath(f[1])
		if err != nil {
			return nil, err
		}
		text, err := image.UnescapePath(f[3])
		if err != nil {
			return nil, err
		}
		last := &out[len(out)-1]
		*last = append(*last, image.Observation{Kind: f[0], Path: path, Digest: f[2], Text: text})
	}
	return out, nil
}
