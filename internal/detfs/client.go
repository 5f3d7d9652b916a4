package detfs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/slack"
)

// Client is the supervisor's end of the server. Its methods may be called
// from several goroutines; calls are answered one at a time. None of them may be
// made while the caller holds something that a guest needs to go on.
type Client struct {
	pid  int // of the server, which nobody has waited for
	page *page
	mu   sync.Mutex // one call at a time
	ctl  *net.UnixConn
	dead atomic.Bool
	gone chan struct{} // closed when the server's end of the life pipe is
}

// Start runs the server with cfg and waits until the layers are open.
func Start(cfg Config) (*Client, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, hint.With(fmt.Errorf("detfs: own binary: %w", err), "mount -t proc proc /proc")
	}
	return start(cfg, []string{self, ServerCommand}, serverEnv())
}

// serverEnv is the server's environment. The FUSE thread blocks in read with its
// P; one more lets the control side run, also when pinned to one CPU. A short run
// ends before the first 16 MB: see relax.
func serverEnv() []string { return []string{"GOMAXPROCS=2", "GOGC=400"} }

// start runs a command as the server. By itself: package os would first fork
// another process to find out what the kernel can do.
func start(cfg Config, argv, env []string) (*Client, error) {
	if cfg.StateDir == "" {
		cfg.StateDir = os.TempDir()
	}
	p, pageFile, err := newPage()
	if err != nil {
		return nil, err
	}
	defer pageFile.Close()
	p.clock.Store(cfg.Epoch)
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	lifeR, lifeW, err := os.Pipe()
	if err != nil {
		_ = ours.Close()
		_ = theirs.Close()
		return nil, fmt.Errorf("detfs: pipe: %w", err)
	}
	// Nothing for it to read or print but errors: for descriptors that are closed a Go
	// program opens /dev/null, which a chroot may not have. The others are controlFD,
	// pageFD, lifeFD.
	stderr := os.Stderr.Fd()
	files := []uintptr{stderr, stderr, stderr, theirs.Fd(), pageFile.Fd(), lifeW.Fd()}
	pid := 0
	err = slack.With(slack.Wide, func() (err error) {
		pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Env: env, Files: files,
			// A session of its own: signals of the terminal are the supervisor's.
			Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true},
		})
		return err
	})
	// The server has its own copies now; ours would hide its death.
	_ = theirs.Close()
	_ = lifeW.Close()
	if err != nil {
		_ = ours.Close()
		_ = lifeR.Close()
		return nil, fmt.Errorf("detfs: start the server: %w", err)
	}
	c := &Client{pid: pid, page: p, ctl: ours, gone: make(chan struct{})}
	go c.watch(lifeR)
	if err := c.call(&call{Op: "init", Config: &cfg}, -1, nil); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// watch waits for the server's death.
func (c *Client) watch(life *os.File) {
	var b [1]byte
	_, _ = life.Read(b[:]) // nobody writes: returns at the end of the last writer
	c.dead.Store(true)
	close(c.gone)
	_ = life.Close()
}

func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("detfs: socketpair: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control")
	defer mine.Close() // FileConn makes a copy
	conn, err := net.FileConn(mine)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("detfs: control: %w", err)
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		_ = theirs.Close()
		return nil, nil, errors.New("detfs: control: not a unix socket")
	}
	return u, theirs, nil
}

// call sends one request and waits for its answer.
func (c *Client) call(req *call, fd int, out any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := sendFrame(c.ctl, req, fd); err != nil {
		return c.lost(req.Op, err)
	}
	var a answer
	if _, err := recvFrame(c.ctl, &a); err != nil {
		return c.lost(req.Op, err)
	}
	if err := a.error(); err != nil || out == nil {
		return err
	}
	if err := a.body(out); err != nil {
		return fmt.Errorf("detfs: %s: %w", req.Op, err)
	}
	return nil
}

// lost names the reason of a broken call: the server's last words, if any.
func (c *Client) lost(op string, err error) error {
	if text := c.page.failure(); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("detfs: %s: server is gone: %w", op, err)
}

// Pid is the server's process id.
func (c *Client) Pid() int { return c.pid }

// Serve hands over a mounted /dev/fuse descriptor. The caller still owns and
// should close its own copy.
func (c *Client) Serve(fuse *os.File) error {
	return c.call(&call{Op: "serve"}, int(fuse.Fd()), nil)
}

// SetNow sets the logical time, ns since 1970, that file times are taken from.
func (c *Client) SetNow(ns int64) { c.page.clock.Store(ns) }

// SetBudget says that the guest may make up to n calls of tick ns each that do
// not reach the supervisor: see Count.
func (c *Client) SetBudget(n int, tick int64) {
	c.page.tick.Store(tick)
	c.page.most.Store(int64(n))
}

// Count tells where the guest counts those calls since the last SetNow: 8 bytes
// of file at offset. The file's content is the guest's: what is counted beyond
// the budget is not believed. The caller still owns its own copy.
func (c *Client) Count(file *os.File, offset int64) error {
	return c.call(&call{Op: "count", Offset: offset}, int(file.Fd()), nil)
}

// Err reports that the server died or met an error after which the run cannot
// stay deterministic. It costs two loads.
func (c *Client) Err() error {
	if text := c.page.failure(); text != "" {
		return errors.New(text)
	}
	if c.dead.Load() {
		return errors.New("detfs: the file system server died")
	}
	return nil
}

// Changes lists the differences to the start, sorted by path.
func (c *Client) Changes() ([]Change, error) {
	var out []Change
	err := c.call(&call{Op: "changes"}, -1, &out)
	return out, err
}

// Glob finds absolute guest paths in the merged view, sorted.
func (c *Client) Glob(pattern string) ([]string, error) {
	var out []string
	err := c.call(&call{Op: "glob", Pattern: pattern}, -1, &out)
	return out, err
}

// WriteTar writes what r selects as a canonical tar.
func (c *Client) WriteTar(w io.Writer, r TarRequest) error {
	pr, pw, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("detfs: pipe: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(w, pr)
		// Also on an error of w: the server's next write then fails
		// instead of blocking.
		_ = pr.Close()
		done <- err
	}()
	fd, err := syscall.Dup(int(pw.Fd()))
	if err == nil {
		syscall.CloseOnExec(fd)
		_ = pw.Close()
		err = c.sendTar(r, fd)
	} else {
		_ = pw.Close()
	}
	if werr := <-done; werr != nil {
		return fmt.Errorf("detfs: write tar: %w", werr)
	}
	return err
}

// sendTar passes fd on and closes our copy as soon as the server has its own,
// so that the pipe ends when the server closes it.
func (c *Client) sendTar(r TarRequest, fd int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := sendFrame(c.ctl, &call{Op: "tar", Tar: r}, fd)
	_ = syscall.Close(fd)
	if err != nil {
		return c.lost("tar", err)
	}
	var a answer
	if _, err := recvFrame(c.ctl, &a); err != nil {
		return c.lost("tar", err)
	}
	return a.error()
}

// Learned tells what was learned from each mount's layer until now, and what
// copying the guest paths in outputs out will read of them; with list every
// observation. It reads what the guest has read once more, to get its digest.
// It is an error when anything of it is different on the host now.
func (c *Client) Learned(list bool, outputs []string) ([]Learned, error) {
	var out []Learned
	err := c.call(&call{Op: "learned", Full: list, Tar: TarRequest{Paths: outputs}}, -1, &out)
	return out, err
}

// Finish verifies the layers and sums the run up. The digest of the changes
// costs as much as copying them out: digest asks for it.
func (c *Client) Finish(digest bool) (Summary, error) {
	var out Summary
	err := c.call(&call{Op: "finish", Full: digest}, -1, &out)
	return out, err
}

// ChownIno gives the file with this st_ino of the guest's tree an owner; -1
// keeps. For chown calls that the kernel refuses because the id is not mapped.
func (c *Client) ChownIno(ino uint64, uid, gid int64) error {
	return c.call(&call{Op: "chown", Ino: ino, UID: uid, GID: gid}, -1, nil)
}

// OwnInputs gives all files of inputs, and the directories dirs, to the user of
// the run. It belongs to the start state: it comes before the guest does.
func (c *Client) OwnInputs(uid, gid uint32, dirs ...string) error {
	return c.call(&call{Op: "own", UID: int64(uid), GID: int64(gid), Tar: TarRequest{Paths: dirs}}, -1, nil)
}

// TouchIno sets mtime and ctime to now: for shared writable mappings, when one
// is made and when it goes.
func (c *Client) TouchIno(ino uint64) error {
	return c.call(&call{Op: "touch", Ino: ino}, -1, nil)
}

// CopyText copies size bytes from offset off of a file of the image, by its
// st_ino, into the file of Count at offset at. Before the file's content is changed
// for the first time, the word at offset changed there becomes 1. Files whose content
// is not the image's are refused.
func (c *Client) CopyText(ino uint64, off, size, at, changed int64) error {
	return c.call(&call{Op: "text", Ino: ino, Offset: off, Size: size, At: at, Changed: changed}, -1, nil)
}

// Close ends the server and waits for it.
func (c *Client) Close() error {
	err := c.ctl.Close()
	// It ends by itself at the end of the socket, but must not be able
	// to keep us when it hangs in the host's file system.
	_ = syscall.Kill(c.pid, syscall.SIGKILL)
	<-c.gone
	for {
		// ECHILD: a wait for any child has taken it.
		_, werr := syscall.Wait4(c.pid, nil, 0, nil)
		if werr == syscall.EINTR {
			continue
		}
		if werr != nil && werr != syscall.ECHILD {
			err = errors.Join(err, werr)
		}
		break
	}
	if err != nil {
		return fmt.Errorf("detfs: close: %w", err)
	}
	return nil
}
