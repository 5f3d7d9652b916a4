package detfs

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDataModel compares fileData over a layer with a plain byte slice.
func TestDataModel(t *testing.T) {
	with, err := newStore(t.TempDir())
	must(t, err)
	defer with.close()
	without, err := newStore(t.TempDir())
	must(t, err)
	defer without.close()
	must(t, unix.Munmap(without.mem))
	without.mem = nil
	for seed := uint64(0); seed < 120; seed++ {
		st := with
		if seed%2 == 1 {
			st = without
		}
		r := rand.New(rand.NewPCG(seed, 1))
		base := make([]byte, r.IntN(3)*r.IntN(60000))
		for i := range base {
			base[i] = byte(r.Uint32()) | 1
		}
		low := func(b []byte, off int64) error {
			if off+int64(len(b)) > int64(len(base)) {
				t.Fatalf("seed %d: layer read beyond its end", seed)
			}
			copy(b, base[off:])
			return nil
		}
		model := bytes.Clone(base)
		d := &fileData{base: int64(len(base))}
		for i := 0; i < 150; i++ {
			size := int64(len(model))
			off := int64(r.IntN(100000)) >> r.IntN(17)
			n := 1 + r.IntN(40000)>>r.IntN(16)
			switch r.IntN(6) {
			case 0:
				must(t, d.truncate(st, size, off))
				model = append(model, make([]byte, max(0, off-size))...)[:off:off]
			case 1:
				end := min(off+int64(n), size)
				must(t, d.zeroRange(st, low, off, end, size))
				if off < end {
					clear(model[off:end])
				}
			default:
				b := bytes.Repeat([]byte{byte(i + 1)}, n)
				must(t, d.write(st, low, b, off, size))
				if end := off + int64(n); end > size {
					model = append(model, make([]byte, end-size)...)
				}
				copy(model[off:], b)
			}
			got := make([]byte, len(model))
			must(t, d.read(st, low, got, 0))
			if !bytes.Equal(got, model) {
				t.Fatalf("seed %d step %d: content differs at size %d", seed, i, len(model))
			}
		}
		d.free(st)
	}
}

// TestStoreInMemory: small chunks are in memory, until there is no room in it, and what
// is released is used again. None overlaps another.
func TestStoreInMemory(t *testing.T) {
	st, err := newStore(t.TempDir())
	must(t, err)
	defer st.close()
	used := make(map[int64]bool) // pages
	take := func(order int) int64 {
		off := st.alloc(order)
		for at := off; at < off+pageSize<<order; at += pageSize {
			if used[at] {
				t.Fatalf("page %#x twice", at)
			}
			used[at] = true
		}
		return off
	}
	var small []int64
	for i := range 2 * memSize / (pageSize << memOrder) {
		off := take(memOrder)
		if in := off < memSize; in != (i < memSize/(pageSize<<memOrder)) {
			t.Fatalf("chunk %d at %#x", i, off)
		}
		small = append(small, off)
		must(t, st.write([]byte{byte(i), byte(i >> 8)}, off+100))
	}
	take(memOrder + 1)
	for i, off := range small {
		b := make([]byte, 3)
		if must(t, st.read(b, off+100)); b[0] != byte(i) || b[1] != byte(i>>8) || b[2] != 0 {
			t.Errorf("chunk %d: % x", i, b)
		}
	}
	var info unix.Stat_t
	must(t, unix.Fstat(st.fd, &info))
	if got := info.Blocks * 512; got < memSize/16 || got > memSize {
		t.Errorf("%d bytes of space for %d chunks, half of them in memory", got, len(small))
	}
	st.release(small[3], memOrder)
	if off := st.alloc(memOrder); off != small[3] {
		t.Errorf("chunk at %#x, not the free one at %#x", off, small[3])
	}
	must(t, st.zero(small[3], pageSize))
	b := []byte{1, 1}
	if must(t, st.read(b, small[3]+100)); b[0] != 0 || b[1] != 0 {
		t.Errorf("zeros read as % x", b)
	}
}

// TestStoreKeeps: of free chunks a few keep their space, and are used first.
func TestStoreKeeps(t *testing.T) {
	st, err := newStore(t.TempDir())
	must(t, err)
	defer st.close()
	space := func() int64 {
		var s unix.Stat_t
		must(t, unix.Fstat(st.fd, &s))
		return s.Blocks * 512
	}
	const order, size = bigOrder, pageSize << bigOrder
	b := bytes.Repeat([]byte{1}, size)
	var chunks []int64
	for range 2 * keepLimit / size {
		off := st.alloc(order)
		must(t, st.write(b, off))
		chunks = append(chunks, off)
	}
	if got := space(); got < 2*keepLimit {
		t.Fatalf("%d bytes of space for %d", got, 2*keepLimit)
	}
	for _, off := range chunks {
		st.release(off, order)
	}
	if got := space(); got < keepLimit || got > keepLimit+size {
		t.Errorf("%d bytes of space are kept", got)
	}
	first := map[int64]bool{}
	for range keepLimit / size {
		first[st.alloc(order)] = true
	}
	for i, off := range chunks {
		if first[off] != (i < len(chunks)/2) {
			t.Errorf("chunk %d: used again %v", i, first[off])
		}
	}
	if st.kept != 0 {
		t.Errorf("%d bytes are said to be free", st.kept)
	}
	st.release(st.alloc(order), order) // one without space
	if got := space(); got < keepLimit || got > keepLimit+size {
		t.Errorf("%d bytes of space at the end", got)
	}
	for _, off := range chunks[:len(chunks)/2] {
		st.release(off, order)
	}
	if st.kept != keepLimit || len(st.free[order]) != len(chunks) {
		t.Errorf("%d bytes kept, %d chunks free", st.kept, len(st.free[order]))
	}
}

// TestStoreFull: a full state directory is ENOSPC, not lost data.
func TestStoreFull(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	small := t.TempDir()
	must(t, unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
	c, root := mounted(t, Config{StateDir: small})
	f, err := os.Create(root + "/big")
	must(t, err)
	defer f.Close()
	buf := make([]byte, 256<<10)
	for i := 0; err == nil && i < 20; i++ {
		_, err = f.Write(buf)
	}
	if err == nil || err.(*os.PathError).Err != unix.ENOSPC {
		t.Fatalf("write to a full state directory: %v", err)
	}
	if c.Err() == nil {
		t.Fatal("a full disk of the host must end the run")
	}
}
