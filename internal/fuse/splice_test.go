package fuse

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync"
	"testing"
)

// TestSplicedRead: a read of a file of the host is answered from its pages, with the
// same bytes as any other, and asked of the FS where that cannot be done.
func TestSplicedRead(t *testing.T) {
	content := make([]byte, 700<<10)
	for i := range content {
		content[i] = byte(i >> 8 * 7)
	}
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// A file takes a reply whole, as /dev/fuse does. A socket takes at most 16 pieces at
	// once, and in a container no splice at all.
	out, err := os.Create(t.TempDir() + "/replies")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	fs := &recorder{t: t, source: int(file.Fd())}
	c := NewConn(int(out.Fd()), fs, &sync.Mutex{})
	defer c.pipe.close()
	sent := 0
	for _, tc := range []struct {
		what      string
		off       uint64
		n, length int
		size      int // of the reply's body; 0: the FS was asked
	}{
		{"small", 0, spliceMin - 1, spliceMin - 1, 0},
		{"of little", 0, 128 << 10, 100, 0},
		{"whole pages", 8192, 64 << 10, 64 << 10, 64 << 10},
		{"parts of pages", 5001, 50001, 50001, 50001},
		{"to the end", uint64(len(content) - 40000), 128 << 10, 40000, 40000},
		{"longer than it is", uint64(len(content) - 40000), 128 << 10, 40001, 0},
		{"after that", 4096, 128 << 10, 128 << 10, 128 << 10},
		{"more than a pipe holds", 0, MaxWrite, MaxWrite, 0},
		{"no source", 0, 128 << 10, 0, 0},
	} {
		body := make([]byte, 40)
		binary.LittleEndian.PutUint64(body[8:], tc.off)
		binary.LittleEndian.PutUint32(body[16:], uint32(tc.n))
		fs.length = tc.length
		reply, err := c.handle(message(opRead, 1, body))
		if err != nil {
			t.Fatalf("%s: %v", tc.what, err)
		}
		if (reply == nil) != (tc.size > 0) {
			t.Errorf("%s: spliced %v", tc.what, reply == nil)
		}
		if err := c.reply(reply); err != nil {
			t.Fatalf("%s: %v", tc.what, err)
		}
		got, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		got = got[sent:]
		sent += len(got)
		want := []byte("data")
		if tc.size > 0 {
			want = content[tc.off:][:tc.size]
		}
		if !bytes.Equal(got[outHeaderSize:], want) || int(binary.LittleEndian.Uint32(got)) != len(got) {
			t.Errorf("%s: another reply of %d bytes", tc.what, len(got))
		}
	}
}
