package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// stdio are the guest's standard streams. They are pipes inside, so isatty
// and fstat never depend on how dettrace was started, but no data goes
// through them: calls on them are answered by us, so neither the size of a
// pipe nor the speed of a reader outside can be seen.
type stdio struct {
	in, out, err streamID
	src          io.Reader
	primed       *os.File
	outW, errW   io.Writer
	eof          bool
}

type streamID struct{ dev, ino uint64 }

// ErrOutputClosed ends a run whose standard output nobody reads any more.
var ErrOutputClosed = errors.New("standard output was closed")

func (s *stdio) init(cfg *Config) error {
	id := func(f *os.File) (streamID, error) {
		if f == nil {
			return streamID{}, nil
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return streamID{}, fmt.Errorf("stat of a standard stream: %w", err)
		}
		return streamID{st.Dev, st.Ino}, nil
	}
	var err error
	if s.in, err = id(cfg.StdinPipe); err != nil {
		return err
	}
	if s.out, err = id(cfg.StdoutPipe); err != nil {
		return err
	}
	if s.err, err = id(cfg.StderrPipe); err != nil {
		return err
	}
	s.src, s.outW, s.errW = cfg.Stdin, cfg.Stdout, cfg.Stderr
	s.primed = cfg.StdinPipe
	if s.src == nil {
		return s.atEOF()
	}
	if cfg.Open.Threads {
		go s.pump()
		return nil
	}
	// One byte makes the pipe poll readable until the input ends.
	if s.primed != nil {
		_, err = s.primed.Write([]byte{0})
	}
	return err
}

// pump passes standard input on through the pipe, for threads that wait for it
// while others go on. It ends with the run, which closes the pipe.
func (s *stdio) pump() {
	if s.primed != nil {
		_, _ = io.Copy(s.primed, s.src)
		_ = s.primed.Close()
	}
}

// atEOF empties and closes the pipe: poll(2) says POLLHUP from now on.
func (s *stdio) atEOF() error {
	s.eof = true
	if s.primed == nil {
		return nil
	}
	err := s.primed.Close()
	s.primed = nil
	return err
}

func (s *stdio) class(f *file) fdClass {
	switch (streamID{f.dev, f.ino}) {
	case s.in:
		return fdStdin
	case s.out:
		return fdStdout
	case s.err:
		return fdStderr
	}
	return fdBad
}

// readStdin answers a read from standard input. The bytes are input; how they
// were cut into pieces on their way is not: each read is filled as far as
// possible, up to a pipe's 64 KiB.
func (k *Kernel) readStdin(t *Task) verdict {
	return k.readInto(t, func(n int) ([]byte, unix.Errno) {
		if k.stdio.src == nil || n == 0 || k.stdio.eof {
			return nil, 0
		}
		p := make([]byte, min(n, 65536))
		got, err := io.ReadFull(k.stdio.src, p)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				k.Stop(fmt.Errorf("read of standard input: %w", err))
				return nil, unix.EIO
			}
			if got == 0 {
				k.stdio.eof = true
				k.stdio.atEOF()
			}
		}
		return p[:got], 0
	})
}

// writeStdio passes the guest's output on. It never blocks the guest's
// logical world: a slow reader outside stops everything, time included.
func (k *Kernel) writeStdio(t *Task, c fdClass) verdict {
	v, e := t.buffers()
	if e != 0 {
		return t.fail(e)
	}
	n, e := t.length()
	if e != 0 {
		return t.fail(e)
	}
	w := k.stdio.outW
	if c == fdStderr {
		w = k.stdio.errW
	}
	done := 0
	for _, x := range v {
		for off := uint64(0); off < x.len && done < n; {
			p := make([]byte, min(x.len-off, uint64(n-done), maxPiece))
			got, err := ptrace.ReadMem(t.tid, x.base+off, p)
			if err != nil || got <= 0 {
				if done == 0 {
					return t.fail(unix.EFAULT)
				}
				return t.done(int64(done))
			}
			k.emit(w, p[:got])
			off += uint64(got)
			done += got
		}
	}
	return t.done(int64(done))
}

// maxPiece bounds the memory that one guest call makes us use.
const maxPiece = 1 << 20

// emit passes output on; a failure ends the run.
func (k *Kernel) emit(w io.Writer, p []byte) {
	if w == nil {
		return
	}
	if _, err := w.Write(p); err != nil {
		if errors.Is(err, unix.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
			err = ErrOutputClosed
		} else {
			err = fmt.Errorf("write of the guest's output: %w", err)
		}
		k.Stop(err)
	}
}
