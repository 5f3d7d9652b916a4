package detfs

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"dettrace/internal/cpusite"
	"dettrace/internal/fault"
	"dettrace/internal/fuse"
	"dettrace/internal/host"
	"dettrace/internal/image"
	"dettrace/internal/stopwatch"
	"dettrace/internal/tsc"
)

// Descriptors that the client leaves to the server.
const (
	controlFD = 3
	pageFD    = 4
	lifeFD    = 5 // held open, never used: its end tells the client of our death
)

// server joins the tree, its FUSE connection and the control socket.
type server struct {
	f    *fsys
	page *page
	ctl  *net.UnixConn
	open openLayer
	conn *fuse.Conn

	count   *os.File                   // Client.Count
	counted *atomic.Uint64             // the word in it; nil: there is none
	texts   map[textKey]cpusite.Result // see cpuSites
}

// now is the logical time in ns since 1970: what the supervisor said last, and
// the calls that the guest made since.
func (s *server) now() int64 {
	now, most := s.page.clock.Load(), s.page.most.Load()
	if s.counted == nil || most <= 0 {
		return now
	}
	n := uint64(0)
	if !fault.Survive(func() { n = s.counted.Load() }) { // the guest has cut the file off
		s.counted = nil
	}
	return now + int64(min(n, uint64(most)))*s.page.tick.Load()
}

// ServerMain is the hidden subcommand. It ends when the client does (end of
// the control socket); a broken FUSE connection only ends serving.
func ServerMain(args []string) int {
	return serverMain(openImage)
}

func serverMain(open openLayer) int {
	relax()
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	s, err := newServer(open)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := s.control(); err != nil && !errors.Is(err, io.EOF) {
		return 1
	}
	return 0
}

// relax ends serverEnv's patience with garbage at the first collection.
func relax() {
	runtime.SetFinalizer(new(*byte), func(**byte) { debug.SetGCPercent(100) })
}

func newServer(open openLayer) (*server, error) {
	pageFile := os.NewFile(pageFD, "clock")
	p, err := mapPage(pageFile)
	if err != nil {
		return nil, err
	}
	if err := pageFile.Close(); err != nil {
		return nil, fmt.Errorf("detfs: clock page: %w", err)
	}
	syscall.CloseOnExec(lifeFD)
	file := os.NewFile(controlFD, "control")
	c, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("detfs: control: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("detfs: control: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("detfs: control: not a unix socket")
	}
	return &server{page: p, ctl: u, open: open}, nil
}

// control answers calls until the client is gone.
func (s *server) control() error {
	for {
		var c call
		file, err := recvFrame(s.ctl, &c)
		if err != nil {
			return err
		}
		body, err := s.handle(&c, file)
		var a answer
		if err == nil && body != nil {
			err = a.setBody(body)
		}
		if err != nil {
			a.setError(err)
		}
		if err := sendFrame(s.ctl, &a, -1); err != nil {
			return err
		}
	}
}

// handle does one call. file, when given, is closed or kept here.
func (s *server) handle(c *call, file *os.File) (any, error) {
	if file != nil && c.Op != "serve" && c.Op != "count" {
		defer file.Close()
	}
	if c.Op == "init" {
		return nil, s.init(c.Config)
	}
	if s.f == nil {
		return nil, errors.New("detfs: control: not initialised")
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	switch c.Op {
	case "serve":
		return nil, s.serve(file)
	case "count":
		if file == nil {
			return nil, errors.New("detfs: count: no descriptor")
		}
		word, err := mapWord(file, c.Offset)
		s.count, s.counted = file, word
		return nil, err
	case "changes":
		return s.f.changeList()
	case "glob":
		return s.f.glob(c.Pattern)
	case "tar":
		if file == nil {
			return nil, errors.New("detfs: tar: no descriptor")
		}
		w := bufio.NewWriterSize(file, 256<<10)
		if err := s.f.writeTar(w, c.Tar); err != nil {
			return nil, err
		}
		return nil, w.Flush()
	case "learned":
		return s.learned(c.Full, c.Tar.Paths)
	case "finish":
		return s.finish(c.Full)
	case "missing":
		n := tally(s.f.missing(c.Tar.Paths))
		return &n, nil
	case "cpusites":
		r := s.cpuSites(c.Ino)
		return sites{&r}, nil
	case "chown":
		return nil, s.change(c.Ino, func(n *node) { s.f.chown(n, c.UID, c.GID) })
	case "getxattr":
		return s.f.getxattr(c.Ino, c.Pattern)
	case "text":
		if s.count == nil {
			return nil, errors.New("detfs: text: nowhere to copy to")
		}
		return nil, s.f.watchText(c.Ino, c.Offset, c.Size, s.count, c.At, c.Changed)
	case "own":
		return nil, s.f.ownInputs(uint32(c.UID), uint32(c.GID), c.Tar.Paths)
	case "touch":
		return nil, s.change(c.Ino, func(n *node) {
			s.f.noteMapped(n.ino)
			n.mtime = s.f.now()
			n.ctime = n.mtime
			n.flags |= flagTimes
		})
	}
	return nil, fmt.Errorf("detfs: control: unknown call %q", c.Op)
}

func (s *server) init(cfg *Config) error {
	if cfg == nil || s.f != nil {
		return errors.New("detfs: control: bad init")
	}
	st, err := newStore(cfg.StateDir)
	if err != nil {
		return err
	}
	now := s.now
	if cfg.HostTime {
		now = host.Now
	}
	f := newFsys(*cfg, st, now, s.page.fail)
	if err := f.build(s.open); err != nil {
		return err
	}
	f.metFifo = s.metFifo
	s.f = f
	return nil
}

// serve starts the FUSE thread. The descriptor is its own from here.
func (s *server) serve(file *os.File) error {
	if file == nil || s.conn != nil {
		return errors.New("detfs: serve: bad call")
	}
	s.f.vary.begun, s.f.vary.start = true, s.f.now()
	s.conn = fuse.NewConn(int(file.Fd()), s.f, &s.f.mu)
	s.conn.Watch = stopwatch.New(s.f.cfg.Profile)
	go func() {
		runtime.LockOSThread()
		if !s.f.cfg.HostTime { // the guest has none
			defer tsc.Off()()
		}
		// Closing aborts the connection: after an error the guest gets
		// ENOTCONN instead of waiting forever.
		if err := errors.Join(s.conn.Loop(), file.Close()); err != nil {
			s.f.mu.Lock()
			s.f.fatal(fmt.Errorf("detfs: %w", err))
			s.f.mu.Unlock()
		}
	}()
	return nil
}

// change applies a change from outside a request to the node with st_ino ino
// and makes the kernel ask again.
func (s *server) change(ino uint64, do func(*node)) error {
	n := s.f.findIno(ino)
	if n == nil {
		return fmt.Errorf("detfs: inode %d: %w", ino, syscall.ENOENT)
	}
	if n.flags&flagReadOnly != 0 {
		return fmt.Errorf("detfs: inode %d: %w", ino, syscall.EROFS)
	}
	do(n)
	if s.conn == nil {
		return nil
	}
	return s.conn.InvalAttr(n.id)
}

// findIno finds a node by its number. The index is made at the first use.
func (f *fsys) findIno(ino uint64) *node {
	if f.byIno == nil {
		f.byIno = make(map[uint64]*node, len(f.nodes))
		for _, n := range f.nodes {
			if n != nil {
				f.byIno[n.ino] = n
			}
		}
	}
	return f.byIno[ino]
}

// learned lists what is known of the layers, and verifies it.
func (s *server) learned(list bool, outputs []string) ([]Learned, error) {
	for _, p := range outputs {
		if err := (&tarWriter{f: s.f, dry: true}).tree(p); err != nil {
			return nil, err
		}
	}
	out := make([]Learned, 0, len(s.f.layers))
	for i, l := range s.f.layers {
		o, err := l.Observed()
		var d string
		if err == nil {
			d, err = l.Digest()
		}
		if err == nil {
			err = l.Verify()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.f.cfg.Mounts[i].Label, err)
		}
		known := Learned{Digest: d, Count: len(o), Newest: image.Newest(l)}
		if list {
			known.Observations = o
		}
		out = append(out, known)
	}
	// A cache that cannot be written makes the next run slower, no more.
	_ = s.f.digests.Flush()
	return out, nil
}

// finish verifies the layers and sums the run up. The changes come first: they
// hold what the guest took over from the layers without reading it.
func (s *server) finish(digest bool) (*Summary, error) {
	sum := &Summary{Doors: s.f.doorsUsed, Varied: s.f.vary.report()}
	if digest {
		h := sha256.New()
		if err := s.f.writeTar(h, TarRequest{Changes: true}); err != nil {
			return nil, err
		}
		sum.ChangesDigest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	}
	list, err := s.f.changeList()
	if err != nil {
		return nil, err
	}
	sum.Changed = len(list)
	for i, l := range s.f.layers {
		m := s.f.cfg.Mounts[i]
		ls := LayerSummary{Guest: m.Guest, Ref: m.Ref, Label: m.Label, Portable: l.Portable()}
		if err := l.Verify(); err != nil {
			ls.Changed = err.Error()
		}
		sum.Layers = append(sum.Layers, ls)
	}
	if s.conn != nil {
		sum.Requests = s.conn.Spans()
	}
	return sum, nil
}
