package store

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"dettrace/internal/rootfs"
)

// Build is an image on its way into the store. Tree is filled by Apply and
// AddLayer, or by hand with Content; Commit makes it an image, Close throws
// away what was not committed. Apply, AddLayer and Content are for one
// goroutine; Progress may be called at any time.
type Build struct {
	Tree   *rootfs.Tree
	Budget *rootfs.Budget
	// Interrupt, if not nil, is closed when nobody wants the image any more: what
	// fills the tree fails with ErrInterrupted then.
	Interrupt <-chan struct{}

	s    *Store
	lock *os.File
	dir  string

	jobs    chan job
	workers sync.WaitGroup
	files   atomic.Int64
	bytes   atomic.Int64

	mu     sync.Mutex
	staged map[[sha256.Size]byte]string // content that is in dir, by its file's name
	next   int
	err    error
}

// ErrInterrupted ends a build whose Interrupt was closed.
var ErrInterrupted = errors.New("interrupted")

// job is the content of one file: all of it in first, or also in rest, whose
// buffers go back to the pool.
type job struct {
	n     *rootfs.Node
	first *[]byte
	rest  chan *[]byte
}

// chunk is the largest piece of content that is handed over at once.
const chunk = 512 << 10

func newChunk() any {
	b := make([]byte, 0, chunk)
	return &b
}

// chunks are buffers that are not in use: a cache, no state.
var chunks = sync.Pool{New: newChunk}

// Begin begins an image. The store's lock is held until Close, so that nothing
// that is found in the store goes away meanwhile.
func (s *Store) Begin() (*Build, error) {
	if err := s.create(); err != nil {
		return nil, err
	}
	// With the lock alone, whatever is in tmp has nobody who works on it.
	if alone, err := s.lock(unix.LOCK_EX | unix.LOCK_NB); err == nil {
		err = s.sweep()
		unlock(alone)
		if err != nil {
			return nil, err
		}
	} else if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("store: %w", err)
	}
	s.mayDie()
	lock, err := s.lock(unix.LOCK_SH)
	if err == nil && lock == nil {
		err = fmt.Errorf("%s: %w", s.dir, unix.EROFS)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	dir, err := os.MkdirTemp(s.path("tmp"), "build-")
	if err != nil {
		unlock(lock)
		return nil, full(fmt.Errorf("store: %w", err))
	}
	b := &Build{
		Tree: rootfs.New(), Budget: rootfs.Unlimited(), s: s, lock: lock, dir: dir,
		staged: make(map[[sha256.Size]byte]string),
	}
	b.start()
	return b, nil
}

// sweep empties tmp; the caller holds the store's lock alone.
func (s *Store) sweep() error {
	list, err := os.ReadDir(s.path("tmp"))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, e := range list {
		if err := os.RemoveAll(s.path("tmp", e.Name())); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}

// Progress is how many files and bytes have been taken in.
func (b *Build) Progress() (files, bytes int64) { return b.files.Load(), b.bytes.Load() }

// Close gives the lock back and removes what is left of the build.
func (b *Build) Close() error {
	b.wait()
	err := os.RemoveAll(b.dir)
	unlock(b.lock)
	b.lock = nil
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (b *Build) wait() {
	if b.jobs != nil {
		close(b.jobs)
		b.jobs = nil
		b.workers.Wait()
	}
}

func (b *Build) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
}

func (b *Build) failed() error {
	select {
	case <-b.Interrupt:
		return ErrInterrupted
	default:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Apply applies a tar archive, or a layer, to the tree: see rootfs.Options.
// Content and Budget are the build's.
func (b *Build) Apply(r io.Reader, o rootfs.Options) error {
	o.Content = func(n *rootfs.Node, h *tar.Header, r io.Reader) error { return b.Content(n, r) }
	o.Budget = b.Budget
	return b.Tree.Apply(r, o)
}

// Content takes the content of regular file n from r, which must give n.Size
// bytes. It is computed and written while the caller goes on; n.Digest is set
// when Commit returns.
func (b *Build) Content(n *rootfs.Node, r io.Reader) error {
	if err := b.failed(); err != nil {
		return err
	}
	first, err := readChunk(r, n.Size)
	if err != nil {
		return err
	}
	b.files.Add(1)
	b.bytes.Add(int64(len(*first)))
	left := n.Size - int64(len(*first))
	if left == 0 {
		b.jobs <- job{n: n, first: first}
		return nil
	}
	rest := make(chan *[]byte, 4)
	defer close(rest)
	b.jobs <- job{n: n, first: first, rest: rest}
	for left > 0 {
		c, err := readChunk(r, left)
		if err == nil {
			err = b.failed()
		}
		if err != nil {
			b.fail(err) // the worker must not take the file for complete
			return err
		}
		left -= int64(len(*c))
		b.bytes.Add(int64(len(*c)))
		rest <- c
	}
	return nil
}

func readChunk(r io.Reader, left int64) (*[]byte, error) {
	c := chunks.Get().(*[]byte)
	*c = (*c)[:min(left, chunk)]
	if _, err := io.ReadFull(r, *c); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return c, nil
}

// work hashes one file and stages it unless the store has it.
func (b *Build) work(j job) {
	if err := b.store(j); err != nil {
		b.fail(full(fmt.Errorf("store: %w", err)))
	}
	if j.rest != nil {
		for c := range j.rest { // what an error left
			chunks.Put(c)
		}
	}
}

func (b *Build) store(j job) error {
	if j.rest == nil {
		defer chunks.Put(j.first)
		j.n.Digest = sha256.Sum256(*j.first)
		if j.n.Size == 0 || !b.wanted(j.n) {
			return nil
		}
		name := b.fileName()
		if err := b.write(name, func(w *sparseFile) error { return w.write(*j.first) }); err != nil {
			return err
		}
		b.keep(j.n, name)
		return nil
	}
	h := sha256.New()
	name := b.fileName()
	err := b.write(name, func(w *sparseFile) error {
		for c, ok := j.first, true; ok; c, ok = <-j.rest {
			h.Write(*c)
			err := w.write(*c)
			chunks.Put(c)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.Sum(j.n.Digest[:0])
	if !b.wanted(j.n) {
		return os.Remove(filepath.Join(b.dir, name))
	}
	b.keep(j.n, name)
	return nil
}

func (b *Build) fileName() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return strconv.Itoa(b.next)
}

// wanted reports whether n's content is neither staged nor in the store.
func (b *Build) wanted(n *rootfs.Node) bool {
	b.mu.Lock()
	_, have := b.staged[n.Digest]
	b.mu.Unlock()
	return !have && !b.s.hasBlob(n.Digest, n.Size)
}

// keep notes the file as the content of n; of two equal ones, which workers
// may write at once, the first stays.
func (b *Build) keep(n *rootfs.Node, name string) {
	b.mu.Lock()
	if _, have := b.staged[n.Digest]; !have {
		b.staged[n.Digest] = name
		name = ""
	}
	b.mu.Unlock()
	if name != "" {
		_ = os.Remove(filepath.Join(b.dir, name)) // goes with the directory at the latest
	}
}

// hasBlob reports whether content is in the store; one with another size is a
// damaged one, and is replaced.
func (s *Store) hasBlob(digest [sha256.Size]byte, size int64) bool {
	var st unix.Stat_t
	return unix.Lstat(s.path(blobsDir, blobName(digest)), &st) == nil && st.Size == size
}

// blobName is relative to blobs/sha256.
func blobName(digest [sha256.Size]byte) string {
	h := hex.EncodeToString(digest[:])
	return h[:2] + "/" + h[2:]
}

func (b *Build) write(name string, fill func(*sparseFile) error) error {
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	w := &sparseFile{f: f}
	err = fill(w)
	b.s.mayDie()
	if err == nil && w.hole {
		err = f.Truncate(w.at)
	}
	return errors.Join(err, f.Close())
}

// sparseFile makes holes of chunks of zeros.
type sparseFile struct {
	f    *os.File
	at   int64
	hole bool // the end is one
}

func (w *sparseFile) write(b []byte) error {
	defer func() { w.at += int64(len(b)) }()
	if w.hole = len(b) >= 4096 && zeros(b); w.hole {
		return nil
	}
	_, err := w.f.WriteAt(b, w.at)
	return err
}

func zeros(b []byte) bool {
	for len(b) >= 8 {
		if b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7] != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// writeManifest writes the canonical form and gives its digest in hex.
func (b *Build) writeManifest(w io.Writer, config string) (string, error) {
	h := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(h, w), 256<<10)
	if err := b.Tree.WriteManifest(out, config); err != nil {
		return "", err
	}
	if err := out.Flush(); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Digest is the identity of the tree as it is now, with a config. The tree can
// be changed further.
func (b *Build) Digest(c Config) (string, error) {
	config, err := c.Canonical()
	if err != nil {
		return "", err
	}
	b.settle()
	if err := b.failed(); err != nil {
		return "", err
	}
	b.Tree.Number()
	h, err := b.writeManifest(io.Discard, config)
	return digestPrefix + h, err
}

// settle waits for all content that was handed over.
func (b *Build) settle() {
	if b.jobs == nil {
		return
	}
	b.wait()
	b.start()
}

func (b *Build) start() {
	jobs := make(chan job, 64)
	b.jobs = jobs
	for range max(2, runtime.GOMAXPROCS(0)) {
		b.workers.Go(func() {
			for j := range jobs {
				b.work(j)
			}
		})
	}
}
