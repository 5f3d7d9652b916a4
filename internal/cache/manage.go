package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/report"
)

// Info describes a stored run.
type Info struct {
	ID       string         `json:"id"`
	Key      string         `json:"key"`
	Command  []string       `json:"command"`
	Status   int            `json:"status"`
	Size     int64          `json:"size"`      // bytes, parts that it shares with others included
	Used     int64          `json:"last_used"` // ns since 1970
	Settings []Part         `json:"settings,omitempty"`
	Report   *report.Report `json:"report,omitempty"`
}

func (e *entry) info(f found, full bool) Info {
	i := Info{ID: e.id, Key: e.key, Command: e.Report.Command, Status: e.Report.Exit.Status, Size: f.size, Used: f.used}
	for _, b := range e.blobs() {
		i.Size += b.Size
	}
	if full {
		i.Settings, i.Report = e.Parts, &e.Report
	}
	return i
}

// List describes all stored runs, last used first. Damaged ones are left out.
func (c *Cache) List() []Info {
	out := []Info{}
	for _, f := range c.all() {
		if e, err := c.read(f.key, f.id); err == nil {
			out = append(out, e.info(f, false))
		}
	}
	return out
}

// Show describes the stored run whose id begins with prefix, with settings and
// report.
func (c *Cache) Show(prefix string) (Info, error) {
	var match []found
	for _, f := range c.all() {
		if prefix != "" && strings.HasPrefix(f.id, prefix) {
			match = append(match, f)
		}
	}
	switch {
	case len(match) == 0:
		return Info{}, hint.With(fmt.Errorf("no stored run %q", prefix), "dettrace cache list shows what there is")
	case len(match) > 1:
		return Info{}, fmt.Errorf("%d stored runs begin with %q", len(match), prefix)
	}
	e, err := c.read(match[0].key, match[0].id)
	if err != nil {
		return Info{}, err
	}
	return e.info(match[0], true), nil
}

// Swept is what a clean-up did.
type Swept struct {
	Removed int   `json:"removed"` // stored runs
	Freed   int64 `json:"freed"`   // bytes
	Left    int   `json:"left"`
	Size    int64 `json:"size"` // bytes left
}

// Prune removes the runs that were not used for longest until at most limit
// bytes are left, and whatever no run refers to.
func (c *Cache) Prune(limit int64) (Swept, error) {
	if limit > 0 {
		// Nearly always there is nothing to do, and nobody has to wait.
		if size, err := c.size(); err != nil || size <= limit {
			return Swept{Size: size}, err
		}
	}
	return c.clean(limit)
}

// Clear removes everything.
func (c *Cache) Clear() (Swept, error) {
	s, err := c.clean(0)
	if err == nil {
		if e := os.Remove(c.digestFile()); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return s, err
}

// Sweep is Prune to limit even if there is room: it removes what no run refers
// to. 0 is no limit.
func (c *Cache) Sweep(limit int64) (Swept, error) {
	if limit <= 0 {
		limit = 1<<63 - 1
	}
	return c.clean(limit)
}

func (c *Cache) clean(limit int64) (Swept, error) {
	unlock, err := c.lock(unix.LOCK_EX)
	if err != nil {
		return Swept{}, err
	}
	defer unlock()
	c.sweep()
	var s Swept
	total := int64(0)
	wanted := make(map[string]bool)
	full := false
	for _, f := range c.all() {
		e, err := c.read(f.key, f.id)
		more := f.size
		if err == nil {
			for _, b := range e.blobs() {
				if !wanted[b.Digest] {
					more += b.Size
				}
			}
		}
		fits := err == nil && !full && total+more <= limit
		// From the first that does not fit on all are older: no holes.
		full = full || err == nil && !fits
		if !fits {
			if rmErr := c.removeEntry(f); rmErr != nil {
				return s, rmErr
			}
			s.Removed++
			s.Freed += f.size
			continue
		}
		total += more
		s.Left++
		for _, b := range e.blobs() {
			wanted[b.Digest] = true
		}
	}
	freed, err := c.removeBlobs(wanted)
	s.Freed += freed
	s.Size = total
	return s, err
}

func (c *Cache) removeEntry(f found) error {
	if err := os.Remove(filepath.Join(c.entryDir(f.key), f.id)); err != nil {
		return err
	}
	_ = os.Remove(c.entryDir(f.key)) // only when empty
	return nil
}

// removeBlobs removes all blobs but those wanted.
func (c *Cache) removeBlobs(wanted map[string]bool) (freed int64, err error) {
	err = filepath.WalkDir(filepath.Join(c.dir, "blobs"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || wanted[d.Name()] {
			return err
		}
		if info, err := d.Info(); err == nil {
			freed += info.Size()
		}
		return os.Remove(p)
	})
	return freed, err
}

// size is what entries and blobs take, in bytes.
func (c *Cache) size() (int64, error) {
	total := int64(0)
	for _, part := range []string{"entries", "blobs"} {
		err := filepath.WalkDir(filepath.Join(c.dir, part), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if errors.Is(err, fs.ErrNotExist) {
					return nil // removed meanwhile
				}
				return err
			}
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Verified is what Verify found.
type Verified struct {
	Checked int      `json:"checked"`
	Damaged []string `json:"damaged"` // ids of runs that were removed
}

// Verify reads everything that is stored, compares it with its digest, and
// removes the runs that are damaged.
func (c *Cache) Verify() (Verified, error) {
	unlock, err := c.lock(unix.LOCK_EX)
	if err != nil {
		return Verified{}, err
	}
	defer unlock()
	v := Verified{Damaged: []string{}}
	good := make(map[blob]bool)
	for _, f := range c.all() {
		v.Checked++
		e, err := c.read(f.key, f.id)
		if err == nil {
			for _, b := range e.blobs() {
				if good[b] {
					continue
				}
				file, openErr := c.open(b)
				if openErr != nil {
					err = openErr
					break
				}
				_ = file.Close()
				good[b] = true
			}
		}
		if err == nil {
			continue
		}
		v.Damaged = append(v.Damaged, f.id)
		if err := c.removeEntry(f); err != nil {
			return v, err
		}
	}
	slices.Sort(v.Damaged)
	return v, nil
}
