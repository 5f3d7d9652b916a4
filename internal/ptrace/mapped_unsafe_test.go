package ptrace

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is not mapped reads as nothing, and what is up to its end.
func TestReadMapped(t *testing.T) {
	const page = 4096
	m, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	if err := unix.Mprotect(m[page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	m[page-2], m[page-1] = 7, 8
	at := uint64(uintptr(unsafe.Pointer(&m[page-2])))
	var b [4]byte
	if n := ReadMapped(os.Getpid(), at, b[:]); n != 2 || b[0] != 7 || b[1] != 8 {
		t.Errorf("at the end: %d bytes, %v", n, b)
	}
	if n := ReadMapped(os.Getpid(), at+2, b[:]); n != 0 {
		t.Errorf("behind it: %d bytes", n)
	}
}
