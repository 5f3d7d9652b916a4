package detfs

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// side is one of the two file systems under comparison.
type side struct {
	root string
	c    *Client // nil: tmpfs
	fds  [6]int  // open files by slot, -1 when closed
}

// getxattr reads an attribute; the kernel says of ours that they cannot be read.
func (s *side) getxattr(p, name string, b []byte) (int, error) {
	n, err := unix.Lgetxattr(s.path(p), name, b)
	if s.c == nil || err != unix.EOPNOTSUPP {
		return n, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(s.path(p), &st); err != nil {
		return 0, err
	}
	v, err := s.c.GetxattrIno(st.Ino, name)
	if errors.Is(err, unix.ENODATA) {
		err = unix.ENODATA
	}
	return copy(b, v), err
}

// op does one operation and tells everything that must agree.
type op func(s *side) string

func (s *side) path(p string) string { return s.root + "/" + p }

func result(err error, format string, args ...any) string {
	if err != nil {
		return err.Error()
	}
	return "ok " + fmt.Sprintf(format, args...)
}

func describe(st *unix.Stat_t) string {
	nlink, size := uint64(st.Nlink), st.Size
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		nlink, size = min(nlink, 1), 0 // tmpfs counts differently
	}
	return fmt.Sprintf("%o n%d u%d g%d s%d r%d", st.Mode, nlink, st.Uid, st.Gid, size, st.Rdev)
}

func (s *side) readdir(p string) string {
	fd, err := unix.Open(s.path(p), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	buf := make([]byte, 512)
	var all []string
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return err.Error()
		}
		if n == 0 {
			break
		}
		for b := buf[:n]; len(b) > 0; {
			d := (*unix.Dirent)(unsafe.Pointer(&b[0]))
			name := string(b[19:d.Reclen])
			name = name[:strings.IndexByte(name, 0)]
			var st unix.Stat_t
			if name != "." && name != ".." {
				if err := unix.Lstat(s.path(p)+"/"+name, &st); err != nil {
					return name + ": " + err.Error()
				}
				if st.Ino != d.Ino {
					return name + ": d_ino differs from st_ino"
				}
			}
			all = append(all, fmt.Sprintf("%s/%d", name, d.Type))
			b = b[d.Reclen:]
		}
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

func (s *side) content(fd int) string {
	h := fnv.New64a()
	buf := make([]byte, 64<<10)
	total := 0
	for off := int64(0); ; {
		n, err := unix.Pread(fd, buf, off)
		if err != nil {
			return err.Error()
		}
		if n == 0 {
			return fmt.Sprintf("%d bytes %x", total, h.Sum64())
		}
		h.Write(buf[:n])
		total += n
		off += int64(n)
	}
}

func (s *side) file(p string) string {
	fd, err := unix.Open(s.path(p), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	return s.content(fd)
}

// gen makes random operations.
type gen struct{ r *rand.Rand }

func (g *gen) name() string {
	return string(rune('a' + g.r.IntN(6)))
}

func (g *gen) path() string {
	p := g.name()
	for g.r.IntN(3) == 0 {
		p += "/" + g.name()
	}
	return p
}

func (g *gen) off() int64 {
	switch g.r.IntN(4) {
	case 0:
		return int64(g.r.IntN(100))
	case 1:
		return int64(g.r.IntN(64)) * 4096
	default:
		return int64(g.r.IntN(300000))
	}
}

func (g *gen) bytes() []byte {
	n := g.r.IntN(200)
	switch g.r.IntN(8) {
	case 0:
		n = g.r.IntN(200000)
	case 1:
		n = g.r.IntN(9000)
	}
	b := make([]byte, n)
	v := byte(g.r.IntN(255))
	for i := range b {
		b[i] = v + byte(i)
	}
	return b
}

func (g *gen) next() (string, op) {
	p, q, slot := g.path(), g.path(), g.r.IntN(6)
	off, data := g.off(), g.bytes()
	mode := []uint32{0o644, 0o755, 0o4755, 0o2755, 0o2644, 0o600, 0o1777, 0o6777}[g.r.IntN(8)]
	fdop := func(what string, do func(fd int) string) (string, op) {
		return fmt.Sprintf("%s fd%d off %d len %d", what, slot, off, len(data)), func(s *side) string {
			if s.fds[slot] < 0 {
				return "closed"
			}
			return do(s.fds[slot])
		}
	}
	switch g.r.IntN(31) {
	case 0, 1, 2, 3:
		flags := unix.O_RDWR | unix.O_NONBLOCK
		for _, f := range []int{unix.O_CREAT, unix.O_CREAT, unix.O_EXCL, unix.O_TRUNC, unix.O_APPEND, unix.O_NOFOLLOW} {
			if g.r.IntN(3) == 0 {
				flags |= f
			}
		}
		return fmt.Sprintf("open %s %#x %o", p, flags, mode), func(s *side) string {
			if s.fds[slot] >= 0 {
				unix.Close(s.fds[slot])
				s.fds[slot] = -1
			}
			fd, err := unix.Open(s.path(p), flags, mode)
			if err == nil {
				s.fds[slot] = fd
			}
			return result(err, "")
		}
	case 4, 5, 6:
		return fdop("pwrite", func(fd int) string {
			n, err := unix.Pwrite(fd, data, off)
			return result(err, "%d", n)
		})
	case 7:
		return fdop("write", func(fd int) string {
			n, err := unix.Write(fd, data)
			return result(err, "%d", n)
		})
	case 8:
		return fdop("pread", func(fd int) string {
			n, err := unix.Pread(fd, data, off)
			return result(err, "%d %x", n, data[:max(n, 0)])
		})
	case 9:
		return fdop("content", func(fd int) string { return fmt.Sprint(fd >= 0) })
	case 10:
		return fdop("ftruncate", func(fd int) string { return result(unix.Ftruncate(fd, off), "") })
	case 11:
		return fmt.Sprintf("truncate %s %d", p, off), func(s *side) string { return result(unix.Truncate(s.path(p), off), "") }
	case 12, 13:
		return fmt.Sprintf("mkdir %s %o", p, mode), func(s *side) string { return result(unix.Mkdir(s.path(p), mode), "") }
	case 14:
		return "rmdir " + p, func(s *side) string { return result(unix.Rmdir(s.path(p)), "") }
	case 15, 16:
		return "unlink " + p, func(s *side) string { return result(unix.Unlink(s.path(p)), "") }
	case 17, 18:
		fl := []uint{0, 0, unix.RENAME_NOREPLACE, unix.RENAME_EXCHANGE}[g.r.IntN(4)]
		return fmt.Sprintf("rename %s %s %d", p, q, fl), func(s *side) string {
			return result(unix.Renameat2(unix.AT_FDCWD, s.path(p), unix.AT_FDCWD, s.path(q), fl), "")
		}
	case 19:
		return "link " + p + " " + q, func(s *side) string { return result(unix.Link(s.path(p), s.path(q)), "") }
	case 20:
		return "symlink " + p + " " + q, func(s *side) string { return result(unix.Symlink(p, s.path(q)), "") }
	case 21:
		return "readlink " + p, func(s *side) string {
			b := make([]byte, 100)
			n, err := unix.Readlink(s.path(p), b)
			return result(err, "%s", b[:max(n, 0)])
		}
	case 22:
		return "stat " + p, func(s *side) string {
			var st unix.Stat_t
			err := unix.Lstat(s.path(p), &st)
			return result(err, "%s", describe(&st))
		}
	case 23:
		return "readdir " + p, func(s *side) string { return s.readdir(p) }
	case 24:
		return fmt.Sprintf("chmod %s %o", p, mode), func(s *side) string { return result(unix.Chmod(s.path(p), mode), "") }
	case 25:
		uid, gid := g.r.IntN(3)-1, g.r.IntN(3)-1
		return fmt.Sprintf("chown %s %d %d", p, uid, gid), func(s *side) string {
			return result(unix.Lchown(s.path(p), uid, gid), "")
		}
	case 26:
		ts := []unix.Timespec{{Sec: int64(g.r.IntN(2000)) - 1000, Nsec: int64(g.r.IntN(1e9))}, {Sec: int64(g.r.IntN(1 << 33)), Nsec: 7}}
		return "utimens " + p, func(s *side) string {
			err := unix.UtimesNanoAt(unix.AT_FDCWD, s.path(p), ts, unix.AT_SYMLINK_NOFOLLOW)
			var st unix.Stat_t
			_ = unix.Lstat(s.path(p), &st)
			return result(err, "%d %d", st.Atim.Nano(), st.Mtim.Nano())
		}
	case 27:
		return "mkfifo " + p, func(s *side) string { return result(unix.Mknod(s.path(p), unix.S_IFIFO|mode, 0), "") }
	case 28:
		name, fl := "user."+g.name(), g.r.IntN(3)
		del := g.r.IntN(4) == 0
		return fmt.Sprintf("xattr %s %s %d %v", p, name, fl, del), func(s *side) string {
			var err error
			if del {
				err = unix.Lremovexattr(s.path(p), name)
			} else {
				err = unix.Lsetxattr(s.path(p), name, data[:min(len(data), 100)], fl)
			}
			b := make([]byte, 1000)
			n, gerr := s.getxattr(p, name, b)
			k, lerr := unix.Llistxattr(s.path(p), b[500:])
			l := strings.Split(string(b[500:500+max(k, 0)]), "\x00")
			sort.Strings(l)
			return result(err, "") + result(gerr, "%x", b[:max(n, 0)]) + result(lerr, "%v", l)
		}
	case 29:
		fl := []uint32{0, unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_PUNCH_HOLE}[g.r.IntN(3)]
		k := int64(g.r.IntN(100000))
		return fdop(fmt.Sprintf("fallocate %d %d", fl, k), func(fd int) string { return result(unix.Fallocate(fd, fl, off, k), "") })
	default:
		return fdop("mmap", func(fd int) string {
			var st unix.Stat_t
			if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || off >= st.Size {
				return "none"
			}
			m, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				return err.Error()
			}
			copy(m[off:], data)
			return result(unix.Munmap(m), "")
		})
	}
}

// same compares two trees below p.
func same(t *testing.T, a, b *side, p string) bool {
	ra, rb := a.readdir(p), b.readdir(p)
	if ra != rb {
		t.Errorf("readdir %s:\n%s\n%s", p, ra, rb)
		return false
	}
	for _, e := range strings.Fields(ra) {
		name, typ, _ := strings.Cut(e, "/")
		if name == "." || name == ".." {
			continue
		}
		q := p + "/" + name
		var sa, sb unix.Stat_t
		ea, eb := unix.Lstat(a.path(q), &sa), unix.Lstat(b.path(q), &sb)
		if da, db := result(ea, "%s", describe(&sa)), result(eb, "%s", describe(&sb)); da != db {
			t.Errorf("stat %s: %s, want %s", q, da, db)
			return false
		}
		switch typ {
		case "4":
			if !same(t, a, b, q) {
				return false
			}
		case "8":
			if ca, cb := a.file(q), b.file(q); ca != cb {
				t.Errorf("content %s: %s, want %s", q, ca, cb)
				return false
			}
		}
	}
	return true
}

// TestDifferential runs random operations here and on tmpfs and compares
// results, errors, contents and what of the metadata must agree.
func TestDifferential(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{Dirs: []Dir{{Path: "/d", Mode: 0o755}}})
	native := t.TempDir()
	if err := unix.Mount("tmpfs", native, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, "mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(native, unix.MNT_DETACH) })
	must(t, os.Mkdir(native+"/d", 0o755))
	a, b := &side{root: root + "/d", c: c}, &side{root: native + "/d"}
	for i := range a.fds {
		a.fds[i], b.fds[i] = -1, -1
	}
	unix.Umask(0o022)
	g := &gen{rand.New(rand.NewPCG(*seedFlag, 0))}
	var log []string
	for i := 0; i < *opsFlag; i++ {
		if i > 0 && i%treeLife == 0 {
			if !same(t, a, b, ".") {
				t.Fatalf("after op %d:\n%s", i, strings.Join(log, "\n"))
			}
			must(t, a.reset())
			must(t, b.reset())
		}
		what, do := g.next()
		ra, rb := do(a), do(b)
		log = append(log[max(0, len(log)-60):], fmt.Sprintf("%d %s: %.120s", i, what, rb))
		if ra != rb {
			t.Fatalf("op %d %s:\n got %.200s\nwant %.200s\nbefore:\n%s", i, what, ra, rb, strings.Join(log, "\n"))
		}
		if i%500 == 0 && !same(t, a, b, ".") {
			t.Fatalf("after op %d:\n%s", i, strings.Join(log, "\n"))
		}
		for k, fd := range a.fds {
			if fd < 0 || i%50 != 0 {
				continue
			}
			var sa, sb unix.Stat_t
			ea, eb := unix.Fstat(fd, &sa), unix.Fstat(b.fds[k], &sb)
			if da, db := result(ea, "%s", describe(&sa)), result(eb, "%s", describe(&sb)); da != db {
				t.Fatalf("op %d fstat fd%d: %s, want %s\n%s", i, k, da, db, strings.Join(log, "\n"))
			}
			if sa.Mode&unix.S_IFMT == unix.S_IFREG {
				if ca, cb := a.content(fd), b.content(b.fds[k]); ca != cb {
					t.Fatalf("op %d content fd%d: %s, want %s\n%s", i, k, ca, cb, strings.Join(log, "\n"))
				}
			}
		}
	}
	if !same(t, a, b, ".") {
		t.Fail()
	}
	must(t, a.reset())
	must(t, b.reset())
	must(t, c.Err())
}

// treeLife is how many operations one tree lasts: it grows, and comparing it
// with it.
const treeLife = 20_000

// reset closes the descriptors and removes the tree.
func (s *side) reset() error {
	for i, fd := range s.fds {
		if fd >= 0 {
			unix.Close(fd)
			s.fds[i] = -1
		}
	}
	entries, err := os.ReadDir(s.root)
	for _, e := range entries {
		if err == nil {
			err = os.RemoveAll(s.root + "/" + e.Name())
		}
	}
	return err
}
