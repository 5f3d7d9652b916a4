// Package digests remembers the SHA-256 of host files between runs, by what
// stat(2) says of them, so that a file which did not change is not read again.
//
// A file is known by device, inode, size, mtime and ctime: ctime is set by the
// kernel at every change and by nobody else. A file whose ctime is not older
// than grace at the time it was hashed is not remembered, as it could be
// written once more in the same tick of the file system's clock. The cache is
// as good as these: it can be led astray by who sets the host's clock back.
//
// The file is a sequence of records of fixed size, each with a checksum, that
// is only ever appended to: several processes can use it at once, a torn or
// damaged record is skipped, and losing it costs time and nothing else.
package digests

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Stamp is what a file is known by. Times are in ns since 1970.
type Stamp struct {
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime int64
}

const (
	recordSize = 4 + 5*8 + sha256.Size + 4
	magic      = 0x1d5e7ec7
	// grace is above the coarsest file time in use (two seconds, FAT).
	grace = int64(3 * time.Second)
	// maxRecords is when a file begins anew: some 50 MB.
	maxRecords = 600_000
	prefix     = "sha256:"
)

// Cache is one file of digests. A nil *Cache remembers nothing. It is used by
// one goroutine at a time.
type Cache struct {
	path   string
	known  map[Stamp][sha256.Size]byte // nil: not loaded
	fresh  []byte                      // records to append
	loaded int                         // records in the file
}

// Open gives the cache in the file path, which is made when needed; nothing
// is read before the first Get. An empty path gives nil.
func Open(path string) *Cache {
	if path == "" {
		return nil
	}
	return &Cache{path: path}
}

// Get gives the digest ("sha256:...") of the file with this stamp.
func (c *Cache) Get(s Stamp) (string, bool) {
	if c == nil {
		return "", false
	}
	if c.known == nil {
		c.load()
	}
	sum, ok := c.known[s]
	if !ok {
		return "", false
	}
	return prefix + hex.EncodeToString(sum[:]), true
}

// Put remembers a digest; Flush writes it.
func (c *Cache) Put(s Stamp, digest string) {
	if c == nil {
		return
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(digest, prefix))
	var now unix.Timespec
	if err != nil || len(raw) != sha256.Size || unix.ClockGettime(unix.CLOCK_REALTIME, &now) != nil {
		return
	}
	if age := now.Nano() - max(s.Ctime, s.Mtime); age < grace {
		return
	}
	if c.known == nil {
		c.load()
	}
	c.known[s] = [sha256.Size]byte(raw)
	c.fresh = append(c.fresh, encode(s, raw)...)
}

// Flush appends what is new. An error loses the time to hash again, no more.
func (c *Cache) Flush() error {
	if c == nil || len(c.fresh) == 0 {
		return nil
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if c.loaded > maxRecords {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(c.path, flags, 0o600)
	if err != nil {
		return err
	}
	// One write: O_APPEND keeps those of two processes apart.
	_, err = f.Write(c.fresh)
	c.fresh = nil
	return errors.Join(err, f.Close())
}

// load reads the file as far as it is readable.
func (c *Cache) load() {
	c.known = make(map[Stamp][sha256.Size]byte)
	f, err := os.Open(c.path)
	if err != nil {
		return // fs.ErrNotExist, or one that we may not read: it remembers nothing
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4*maxRecords*recordSize))
	if err != nil && !errors.Is(err, fs.ErrClosed) {
		return
	}
	for len(b) >= recordSize {
		s, sum, ok := decode(b[:recordSize])
		if !ok {
			b = b[1:] // behind a torn record: look for the next one
			continue
		}
		c.known[s] = sum
		c.loaded++
		b = b[recordSize:]
	}
}

func encode(s Stamp, sum []byte) []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, recordSize), magic)
	for _, v := range []uint64{s.Dev, s.Ino, uint64(s.Size), uint64(s.Mtime), uint64(s.Ctime)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, sum...)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func decode(b []byte) (s Stamp, sum [sha256.Size]byte, ok bool) {
	body := b[:recordSize-4]
	if binary.LittleEndian.Uint32(b) != magic || crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(b[recordSize-4:]) {
		return s, sum, false
	}
	v := func(i int) uint64 { return binary.LittleEndian.Uint64(b[4+8*i:]) }
	s = Stamp{v(0), v(1), int64(v(2)), int64(v(3)), int64(v(4))}
	copy(sum[:], b[44:])
	return s, sum, true
}

// Of digests the file path.
func Of(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return prefix + hex.EncodeToString(h.Sum(nil)), nil
}
