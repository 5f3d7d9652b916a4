package detfs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestServerDies: the guest and the client notice, nothing hangs.
func TestServerDies(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{})
	stat(t, root+"/etc")
	must(t, c.Err())
	must(t, syscall.Kill(c.Pid(), syscall.SIGKILL))
	<-c.gone
	if c.Err() == nil {
		t.Error("no error after the server's death")
	}
	var st unix.Stat_t
	if err := unix.Lstat(root+"/never-seen", &st); err == nil || err == unix.ENOENT {
		t.Errorf("stat without a server: %v", err)
	}
	if _, err := c.Changes(); err == nil {
		t.Error("a call without a server succeeded")
	}
}

// TestServerEndsWithClient: end of file on the control socket ends the server.
func TestServerEndsWithClient(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, _ := mounted(t, Config{})
	must(t, c.ctl.CloseWrite())
	<-c.gone
}

// TestOutsideChanges: what the supervisor changes is seen at once, although
// the kernel keeps attributes forever.
func TestOutsideChanges(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{SingleID: true})
	before := stat(t, root+"/usr/suid")
	c.SetNow(testEpoch + 9e9)
	must(t, c.ChownIno(before.Ino, 1000, -1))
	st := stat(t, root+"/usr/suid")
	uid, gid := UnpackBlocks(uint64(st.Blocks))
	if uid != 1000 || gid != 0 || st.Uid != 0 || st.Mode&syscall.S_ISUID != 0 || st.Ctim.Nano() != testEpoch+9e9 {
		t.Errorf("after chown: packed %d:%d, %+v", uid, gid, st)
	}
	if err := c.ChownIno(1<<40, 1, 1); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("chown of nothing: %v", err)
	}

	fd, err := unix.Open(root+"/m", unix.O_CREAT|unix.O_RDWR, 0o644)
	must(t, err)
	must(t, unix.Ftruncate(fd, 10000))
	m, err := unix.Mmap(fd, 0, 10000, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	c.SetNow(testEpoch + 10e9)
	copy(m[5000:], "through the mapping")
	must(t, unix.Munmap(m))
	must(t, unix.Close(fd))
	if st := stat(t, root+"/m"); st.Mtim.Nano() != testEpoch+9e9 {
		t.Errorf("a late page set mtime to %d", st.Mtim.Nano())
	}
	must(t, c.TouchIno(stat(t, root+"/m").Ino))
	if st := stat(t, root+"/m"); st.Mtim.Nano() != testEpoch+10e9 {
		t.Errorf("mtime after touch: %d", st.Mtim.Nano())
	}
	var b bytes.Buffer
	must(t, c.WriteTar(&b, TarRequest{Paths: []string{"/m"}}))
	if !strings.Contains(b.String(), "through the mapping") {
		t.Error("data of the mapping is not in the tar")
	}
	if err := c.WriteTar(&b, TarRequest{Paths: []string{"/missing"}}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("tar of nothing: %v", err)
	}
	if err := c.WriteTar(brokenWriter{}, TarRequest{Paths: []string{"/"}}); err == nil {
		t.Error("tar to a broken writer succeeded")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestStartErrors: what is wrong is said by Start, with its errno.
func TestStartErrors(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, tc := range []struct {
		cfg  Config
		want error
	}{
		{Config{StateDir: missing}, syscall.ENOENT},
		{Config{StateDir: t.TempDir(), Mounts: []Mount{{Guest: "/", Ref: "dir:" + missing}}}, syscall.ENOENT},
		{Config{StateDir: t.TempDir(), Static: []StaticTree{{Name: "root"}}}, syscall.EINVAL},
	} {
		argv, env := testServer()
		c, err := start(tc.cfg, argv, env)
		if err == nil {
			_ = c.Close()
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%+v: %v, want %v", tc.cfg, err, tc.want)
		}
	}
	if f, err := os.Open(missing); err == nil {
		f.Close()
		t.Error("something was made")
	}
}

// TestServerDiesAtStart: a server that never answers is an error, not a hang.
func TestServerDiesAtStart(t *testing.T) {
	c, err := start(Config{StateDir: t.TempDir()}, []string{"/bin/false"}, nil)
	if err == nil {
		_ = c.Close()
		t.Fatal("no error")
	}
}
