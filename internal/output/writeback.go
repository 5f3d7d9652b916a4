package output

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Whiteout names of detfs's tar of changes, as in the OCI image layer
// specification.
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// PartialError is a write-back that failed after it had begun to change the
// host. Nothing was changed when Applied is 0.
type PartialError struct {
	Applied, Total int
	Path           string // guest path of the change that failed
	Err            error
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("write-back: %s: %v (%d of %d changes applied, in order of their paths; the rest not)", e.Path, e.Err, e.Applied, e.Total)
}

// Unwrap keeps the errno visible.
func (e *PartialError) Unwrap() error { return e.Err }

// WriteBack applies r, the changes below the inputs' guest paths
// (detfs.TarRequest{Changes: true, Under: ...}), to the inputs' host paths.
// All content is staged inside the inputs first, so that a full disk or a
// broken stream changes nothing; the renames that follow stop at the first
// that fails, which PartialError describes. It returns the number of changes.
func WriteBack(r io.Reader, inputs []Target, opts Options) (int, error) {
	w := &writeBack{opts: opts}
	defer w.close()
	for _, in := range inputs {
		if err := w.open(in); err != nil {
			return 0, fmt.Errorf("write-back: input %s: %w", in.Host, err)
		}
	}
	err := w.read(tar.NewReader(r))
	if err == nil {
		err = drain(r)
	}
	if err != nil {
		return 0, fmt.Errorf("write-back: %w", explain(err))
	}
	for i, op := range w.ops {
		if err := op.apply(); err != nil {
			return i, &PartialError{Applied: i, Total: len(w.ops), Path: op.guest, Err: err}
		}
	}
	return len(w.ops), w.finish()
}

// input is one input that takes changes.
type input struct {
	Target
	dir   string // host directory that paths below are relative to
	only  string // for a single file: its name in dir, else ""
	root  int    // dir, O_PATH
	stage string // name of the staging directory in dir; "" until needed
	tree  *tree  // makes files in the staging directory
	sub   int    // the staging directory, O_PATH
}

type writeBack struct {
	opts   Options
	inputs []*input
	ops    []*operation
	staged map[string]*operation // by guest path, for hard links
	names  int                   // given in staging directories
}

func (w *writeBack) open(target Target) error {
	in := &input{Target: target, dir: target.Host, root: -1, sub: -1}
	info, err := os.Stat(target.Host)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		in.dir, in.only = filepath.Split(target.Host)
	}
	if in.root, err = openDir(in.dir); err != nil {
		return err
	}
	w.inputs = append(w.inputs, in)
	return nil
}

func (w *writeBack) close() {
	for _, in := range w.inputs {
		if in.tree != nil {
			in.tree.close()
		}
		if in.sub >= 0 {
			_ = unix.Close(in.sub)
		}
		if in.stage != "" {
			_ = removeAt(in.root, in.stage)
		}
		_ = unix.Close(in.root)
	}
}

// find is the input that guest path p belongs to (the innermost) and its path
// there.
func (w *writeBack) find(p string) (best *input, rel string) {
	for _, in := range w.inputs {
		r, ok := under(p, in.Guest)
		if ok && (best == nil || len(in.Guest) > len(best.Guest)) {
			best, rel = in, r
			if in.only != "" {
				rel = in.only
			}
		}
	}
	return best, rel
}

// read turns the stream into staged content and operations.
func (w *writeBack) read(tr *tar.Reader) error {
	w.staged = make(map[string]*operation)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("tar: %w", err)
		}
		name, err := guestName(h.Name)
		if err != nil {
			return err
		}
		if err := w.entry(h, tr, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func (w *writeBack) entry(h *tar.Header, r io.Reader, name string) error {
	base := path.Base(name)
	op := &operation{guest: name, mode: uint32(h.Mode) & 0o777, mtime: h.ModTime}
	switch {
	case base == whiteoutOpaque:
		op.kind, op.guest = opClear, path.Dir(name)
	case strings.HasPrefix(base, whiteoutPrefix):
		victim := strings.TrimPrefix(base, whiteoutPrefix)
		if victim == "" || victim == "." || victim == ".." { // Join would climb
			return errors.New("tar: whiteout of no name")
		}
		op.kind, op.guest = opRemove, path.Join(path.Dir(name), victim)
	case h.Typeflag == tar.TypeDir:
		op.kind = opDir
	}
	in, rel := w.find(op.guest)
	if in == nil {
		return errors.New("tar: not below an input")
	}
	op.in, op.rel = in, rel
	if in.only != "" && op.guest != in.Guest {
		return errors.New("below an input that is a file")
	}
	if rel == "." {
		switch op.kind {
		case opRemove:
			op.kind = opClear // an input's own directory stays, empty
		case opPut:
			return errors.New("the input's directory became something else")
		}
	}
	if op.kind == opPut {
		staged, err := w.stage(op, h, r)
		if err != nil || !staged {
			return err
		}
	}
	w.ops = append(w.ops, op)
	return nil
}

// stage makes the entry in the input's staging directory; false when the host
// has no place for its kind.
func (w *writeBack) stage(op *operation, h *tar.Header, r io.Reader) (bool, error) {
	in := op.in
	if err := in.begin(w.opts); err != nil {
		return false, err
	}
	w.names++ // also for what is left out: the tree remembers its name
	op.staged = strconv.Itoa(w.names)
	link := ""
	if h.Typeflag == tar.TypeLink {
		target, err := guestName(h.Linkname)
		if err != nil {
			return false, err
		}
		first := w.staged[target]
		if first == nil || first.in != in {
			return false, fmt.Errorf("hard link to %s, which is not in the same input", target)
		}
		link, op.mode, op.mtime = first.staged, first.mode, first.mtime
	}
	if err := in.tree.add(h, r, op.staged, op.guest, link); err != nil {
		return false, err
	}
	w.staged[op.guest] = op
	return !in.tree.skipped[op.staged], nil
}

// begin makes the staging directory inside the input: the same file system,
// and writable if the input is.
func (in *input) begin(opts Options) error {
	if in.stage != "" {
		return nil
	}
	dir, err := os.MkdirTemp(in.dir, stagePattern)
	if err != nil {
		return err
	}
	in.stage = filepath.Base(dir)
	if in.sub, err = openBeneath(in.root, in.stage); err != nil {
		return err
	}
	in.tree = newTree(in.sub, opts)
	return nil
}

// finish sets the times of directories, innermost first, after everything in
// them has its place and the staging directories are gone.
func (w *writeBack) finish() error {
	for _, in := range w.inputs {
		if in.stage != "" {
			if err := removeAt(in.root, in.stage); err != nil {
				return fmt.Errorf("write-back: staging directory: %w", err)
			}
			in.stage = ""
		}
	}
	for i := len(w.ops) - 1; i >= 0; i-- {
		if op := w.ops[i]; op.kind == opDir {
			if err := op.settle(); err != nil {
				return fmt.Errorf("write-back: %s: %w", op.guest, err)
			}
		}
	}
	return nil
}

type opKind int

const (
	opPut    opKind = iota // rename the staged file over the path
	opDir                  // make the path a directory
	opClear                // empty the directory
	opRemove               // remove the path and all below it
)

// operation is one change of one path.
type operation struct {
	kind   opKind
	guest  string
	in     *input
	rel    string
	staged string // name in the staging directory
	mode   uint32
	mtime  time.Time
}

func (op *operation) apply() error {
	if op.kind == opClear {
		return op.clear()
	}
	if op.rel == "." {
		return nil // the input's directory is there
	}
	dirRel, name := splitRel(op.rel)
	dir, err := openBeneath(op.in.root, dirRel)
	if err != nil {
		return err
	}
	defer unix.Close(dir) // O_PATH: closing cannot fail
	var st unix.Stat_t
	statErr := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if statErr != nil && statErr != unix.ENOENT {
		return statErr
	}
	exists, isDir := statErr == nil, st.Mode&unix.S_IFMT == unix.S_IFDIR
	switch op.kind {
	case opRemove:
		return removeAt(dir, name)
	case opDir:
		if exists && isDir {
			return nil
		}
		if err := removeAt(dir, name); err != nil {
			return err
		}
		return unix.Mkdirat(dir, name, op.mode|0o700)
	}
	if exists && isDir {
		if err := removeAt(dir, name); err != nil {
			return err
		}
	}
	if exists && st.Mode&unix.S_IFMT == unix.S_IFREG {
		// The guest saw the host's mode and perhaps changed it; a umask has
		// no say in a file that is already there. A staged symlink has no mode.
		if err := op.chmodStaged(); err != nil {
			return err
		}
	}
	return unix.Renameat(op.in.sub, op.staged, dir, name)
}

func (op *operation) chmodStaged() error {
	var st unix.Stat_t
	if err := unix.Fstatat(op.in.sub, op.staged, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o777 == op.mode {
		return nil
	}
	return unix.Fchmodat(op.in.sub, op.staged, op.mode, 0)
}

// clear empties the directory, except for staged content.
func (op *operation) clear() error {
	dir, err := openBeneath(op.in.root, op.rel)
	if err != nil {
		return err
	}
	defer unix.Close(dir) // O_PATH: closing cannot fail
	keep := ""
	if op.rel == "." {
		keep = op.in.stage
	}
	return clearAt(dir, ".", keep)
}

// settle gives a directory its time and the guest's permission bits; a set-gid
// bit that the host's directory has stays.
func (op *operation) settle() error {
	dirRel, name := splitRel(op.rel)
	dir, err := openBeneath(op.in.root, dirRel)
	if err != nil {
		return err
	}
	defer unix.Close(dir) // O_PATH: closing cannot fail
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if err := setTime(dir, name, op.mtime); err != nil {
		return err
	}
	if st.Mode&0o777 == op.mode {
		return nil
	}
	return unix.Fchmodat(dir, name, st.Mode&0o7000|op.mode, 0)
}
