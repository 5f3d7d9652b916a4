package detfs

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The benchmarks need a namespace and are best pinned to one CPU:
//
//	DETFS_NS=1 unshare -Urm taskset -c 0 ./detfs.test -test.run - -test.bench .
func benchRoot(b *testing.B) string {
	b.Helper()
	if os.Getenv("DETFS_NS") == "" {
		b.Skip("not in a namespace: set DETFS_NS and use unshare -Urm")
	}
	_, root := mounted(b, Config{})
	b.ResetTimer()
	return root
}

func BenchmarkNegativeLookup(b *testing.B) {
	root := benchRoot(b)
	buf := make([]byte, 0, 100)
	var st unix.Stat_t
	for i := 0; b.Loop(); i++ {
		buf = append(append(buf[:0], root...), "/n"...)
		for k := i; k > 0; k /= 10 {
			buf = append(buf, byte('0'+k%10))
		}
		if err := unix.Lstat(string(buf), &st); err != unix.ENOENT {
			b.Fatal(err)
		}
	}
}

func BenchmarkStatCached(b *testing.B) {
	root := benchRoot(b)
	var st unix.Stat_t
	for b.Loop() {
		if err := unix.Lstat(root+"/etc/passwd", &st); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenReadClose(b *testing.B) {
	root := benchRoot(b)
	var buf [64]byte
	for b.Loop() {
		fd, err := unix.Open(root+"/etc/passwd", unix.O_RDONLY, 0)
		must(b, err)
		_, err = unix.Read(fd, buf[:])
		must(b, err)
		must(b, unix.Close(fd))
	}
}

func BenchmarkCreateUnlink(b *testing.B) {
	root := benchRoot(b)
	for b.Loop() {
		fd, err := unix.Open(root+"/f", unix.O_WRONLY|unix.O_CREAT, 0o644)
		must(b, err)
		must(b, unix.Close(fd))
		must(b, unix.Unlink(root+"/f"))
	}
}

func BenchmarkWrite4K(b *testing.B) {
	root := benchRoot(b)
	fd, err := unix.Open(root+"/f", unix.O_RDWR|unix.O_CREAT, 0o644)
	must(b, err)
	var buf [4096]byte
	for i := 0; b.Loop(); i++ {
		_, err := unix.Pwrite(fd, buf[:], int64(i%4096)*4096)
		must(b, err)
	}
}

func BenchmarkWriteStream(b *testing.B) {
	root := benchRoot(b)
	fd, err := unix.Open(root+"/f", unix.O_RDWR|unix.O_CREAT, 0o644)
	must(b, err)
	buf := make([]byte, 1<<20)
	b.SetBytes(1 << 20)
	for i := 0; b.Loop(); i++ {
		_, err := unix.Pwrite(fd, buf, int64(i%512)<<20)
		must(b, err)
	}
}
