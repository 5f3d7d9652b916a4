package fastpath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Replacing the sites of a library anew in every process costs a stop and a
// copied page for each. So the executable segment of a library that is met often
// is copied, once for each address at which it is mapped, with everything known
// replaced; the copies lie behind the state in the region's file. Of the dynamic
// linker, and of programs without one, the copy is mapped over the original
// before the first instruction (vdso.Entry); those of libraries the code maps
// when the dynamic linker maps the original.

// Text is the executable segment of a file, as it is mapped.
type Text struct {
	Addr, Size uint64
	Ino        uint64           // of the file
	Offset     uint64           // in the file
	Name       string           // of the file
	At         uint64           // of the copy in the region's file
	Sites      map[uint64]*Site // those replaced in the copy, by address
}

const (
	tableOffset = classOffset + maxCalls // five words for each Text, behind the classes
	maxTexts    = 64
	textEntry   = 40

	pathOffset = 0x1f80 // the path of the region's file in the guest
	pathRoom   = 0x30

	accessOffset  = 0xfb0 // names of the attributes that are access control lists
	defaultOffset = 0xfd0

	// Bounds of what copies take of the host's memory.
	maxTextSize = 8 << 20
	maxAllTexts = 40 << 20
)

// MapFrom tells the code which path leads to the region's file in the guest.
// Without it no library is replaced.
func (r *Region) MapFrom(path string) error {
	if len(path) >= pathRoom {
		return fmt.Errorf("fast paths: path %s: %w", path, unix.ENAMETOOLONG)
	}
	r.guard(func() { copy(r.mem[pathOffset:], append([]byte(path), 0)) })
	return nil
}

// ErrNoText says that a segment is not worth a copy, or that there are too many.
var ErrNoText = errors.New("no copy of this text")

// Copy makes a copy of the segment t. content puts its bytes, as the file has
// them, into the region's file at offset at. linker: t is a dynamic linker's,
// whose mappings of libraries are to be watched from now on. looks are its sites
// that look at the CPU.
func (r *Region) Copy(t Text, linker bool, looks []*Site, content func(at uint64) error) (*Text, error) {
	const page = 4096
	end := FileSize + r.textBytes
	if r.lost || len(r.clean) == maxTexts && !slices.Contains(r.clean, t.Ino) || t.Size == 0 || t.Size > maxTextSize || r.textBytes+t.Size > maxAllTexts ||
		t.Size%page != 0 || t.Addr%page != 0 || t.Offset%page != 0 {
		return nil, ErrNoText
	}
	if err := unix.Ftruncate(r.file, int64(end+t.Size)); err != nil {
		return nil, fmt.Errorf("fast paths: %w", err)
	}
	if err := content(end); err != nil {
		return nil, err
	}
	t.At, t.Sites = end, map[uint64]*Site{}
	c := textCopy{r.file, t}
	if linker {
		text, err := c.read(t.Addr, t.Size)
		if err != nil {
			return nil, err
		}
		for i := 0; ; i += movSize + callSize {
			n := bytes.Index(text[i:], []byte{0xb8, mmap, 0, 0, 0, 0x0f, 0x05}) // mov $9, %eax; syscall
			if n < 0 {
				break
			}
			i += n
			at := i + movSize
			from, to := max(at-Near, 0), min(at+Near, len(text))
			r.Find(t.Addr+uint64(at), t.Addr+uint64(from), text[from:to])
		}
	}
	for _, s := range looks {
		if err := c.replace(s); err != nil {
			return nil, err
		}
	}
	for _, a := range r.Addrs(t.Addr, t.Addr+t.Size) {
		for _, s := range r.sites[a] {
			if err := c.replace(s); err != nil {
				return nil, err
			}
		}
	}
	r.textBytes += t.Size
	r.texts = append(r.texts, &t)
	r.enter(t)
	return &t, nil
}

// textCopy is a copy that is not used yet.
type textCopy struct {
	file int
	Text
}

// read returns size bytes of what lies at addr.
func (c *textCopy) read(addr, size uint64) ([]byte, error) {
	b := make([]byte, size)
	if n, err := unix.Pread(c.file, b, int64(c.At+addr-c.Addr)); err != nil || n != len(b) {
		return nil, fmt.Errorf("fast paths: read of a text: %w", errors.Join(err, ErrNoText))
	}
	return b, nil
}

// replace replaces s, if it is all in there and its bytes are.
func (c *textCopy) replace(s *Site) error {
	needs := s.needs()
	if s.Start < c.Addr || s.Start+uint64(len(needs)) > c.Addr+c.Size {
		return nil
	}
	old, err := c.read(s.Start, uint64(len(needs)))
	if err != nil || !bytes.Equal(old, needs) {
		return err
	}
	if n, err := unix.Pwrite(c.file, s.New, int64(c.At+s.Start-c.Addr)); err != nil || n != len(s.New) {
		return fmt.Errorf("fast paths: write of a text: %w", errors.Join(err, ErrNoText))
	}
	c.Sites[s.Addr] = s
	return nil
}

// enter puts t into the table that the code reads, in the place of an entry that
// says the file needs no copy.
func (r *Region) enter(t Text) {
	n := slices.Index(r.clean, t.Ino)
	if n < 0 {
		n = len(r.clean)
		r.clean = append(r.clean, 0)
	}
	r.clean[n] = 0
	if t.At == 0 {
		r.clean[n] = t.Ino
	}
	i := tableOffset + textEntry*n
	r.guard(func() {
		for j, v := range []uint64{t.Ino, t.Addr, t.Size, t.Offset, t.At} {
			binary.LittleEndian.PutUint64(r.mem[i+8*j:], v)
		}
	})
}

// Clean lets the code map a file as it is, of which there is nothing to be
// replaced. watch is to see to the word at ChangedOffset when the file changes.
func (r *Region) Clean(ino uint64, watch func() error) error {
	if r.lost || len(r.clean) == maxTexts || slices.Contains(r.clean, ino) || slices.ContainsFunc(r.texts, func(t *Text) bool { return t.Ino == ino }) {
		return ErrNoText
	}
	if err := watch(); err != nil {
		return err
	}
	r.enter(Text{Ino: ino})
	return nil
}

// Text is the copy of the segment that is mapped at addr from offset of the file
// with number ino, or nil.
func (r *Region) Text(addr, size, ino, offset uint64) *Text {
	if r.TextsChanged() {
		return nil
	}
	for _, t := range r.texts {
		if t.Addr == addr && t.Size == size && t.Ino == ino && t.Offset == offset {
			return t
		}
	}
	return nil
}

// TextAt is the copy that holds offset at of the region's file, or nil.
func (r *Region) TextAt(at uint64) *Text {
	for _, t := range r.texts {
		if at >= t.At && at < t.At+t.Size {
			return t
		}
	}
	return nil
}

// TextOver is a copy made for addresses that addr is among, or nil.
func (r *Region) TextOver(addr uint64) *Text {
	i := slices.IndexFunc(r.texts, func(t *Text) bool { return addr >= t.Addr && addr < t.Addr+t.Size })
	if i < 0 {
		return nil
	}
	return r.texts[i]
}

// Texts are all copies.
func (r *Region) Texts() []*Text { return r.texts }

// Add replaces a site that was found later in the copy, for processes to come.
func (r *Region) Add(t *Text, s *Site) {
	if t.Sites[s.Addr] != nil || s.Start < t.Addr || s.End() > t.Addr+t.Size {
		return
	}
	old := make([]byte, len(s.needs()))
	at := int64(t.At + s.Start - t.Addr)
	if n, err := unix.Pread(r.file, old, at); err != nil || n != len(old) || !bytes.Equal(old, s.needs()) {
		return
	}
	if _, err := unix.Pwrite(r.file, s.New, at); err == nil {
		t.Sites[s.Addr] = s
	}
}

// ChangedOffset is where in the file a word is, 8 bytes, that becomes other than
// 0 when a file is written to of which there is a copy: by whoever sees that
// first, before the writer goes on. Copies are not used any more then.
const ChangedOffset = TextSize + offChanged

// TextsChanged reports whether that is so.
func (r *Region) TextsChanged() (changed bool) {
	changed = true
	r.guard(func() { changed = r.state.word(offChanged).Load() != 0 })
	return changed
}
