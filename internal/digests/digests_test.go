package digests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func sum(c string) string { return prefix + strings.Repeat(c, 32) }

func TestCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "digests")
	c := Open(path)
	a, b := Stamp{1, 2, 3, 4, 5}, Stamp{1, 2, 3, 4, 6}
	c.Put(a, sum("aa"))
	c.Put(b, sum("bb"))
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	again := Open(path)
	if d, ok := again.Get(a); !ok || d != sum("aa") {
		t.Errorf("%s, %v", d, ok)
	}
	if d, ok := again.Get(b); !ok || d != sum("bb") {
		t.Errorf("%s, %v", d, ok)
	}
	if _, ok := again.Get(Stamp{1, 2, 3, 5, 5}); ok {
		t.Error("a file with another time is known")
	}
	var none *Cache
	if _, ok := none.Get(a); ok || none.Flush() != nil || Open("") != nil {
		t.Error("no cache knows something")
	}
}

// A file that was written a moment ago may be written again in the same tick.
func TestFreshIsNotRemembered(t *testing.T) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		t.Fatal(err)
	}
	c := Open(filepath.Join(t.TempDir(), "digests"))
	s := Stamp{Ctime: now.Nano()}
	c.Put(s, sum("aa"))
	if _, ok := c.Get(s); ok {
		t.Error("remembered")
	}
}

// Damage of any byte loses the record it is in, and gives no wrong digest.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "digests")
	c := Open(path)
	want := map[Stamp]string{}
	for i := range uint64(3) {
		s := Stamp{Ino: i}
		want[s] = sum(string("abc"[i]) + "0")
		c.Put(s, want[s])
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(b []byte, least int) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c, found := Open(path), 0
		for s, d := range want {
			if got, ok := c.Get(s); ok {
				found++
				if got != d {
					t.Fatalf("wrong digest %s", got)
				}
			}
		}
		if found < least {
			t.Fatalf("%d of 3 records found, want %d", found, least)
		}
	}
	for i := range whole {
		b := append([]byte{}, whole...)
		b[i] ^= 0x55
		check(b, 2)
		check(append(append([]byte{}, whole[:i]...), whole[i+1:]...), 2)
		check(whole[:i], i/recordSize)
	}
}
