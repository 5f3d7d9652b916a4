package fault

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSurvive(t *testing.T) {
	const size = 4096
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if !Survive(func() { mem[0] = 1 }) {
		t.Error("memory that is there was not")
	}
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if Survive(func() { mem[0] = 2 }) {
		t.Error("memory that is gone was there")
	}
	defer func() {
		if e := recover(); e != "mine" {
			t.Errorf("another panic: %v", e)
		}
	}()
	Survive(func() { panic("mine") })
}
