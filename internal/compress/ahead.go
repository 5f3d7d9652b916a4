package compress

import (
	"io"
	"sync"
)

const (
	aheadSize  = 256 << 10
	aheadCount = 4
)

// Ahead reads r in a goroutine of its own, some way ahead of who reads it, so
// that unpacking and whatever comes behind it each have a CPU. Close ends the
// goroutine, after the read in which it is; r is not closed.
func Ahead(r io.Reader) io.ReadCloser {
	a := &ahead{full: make(chan piece, aheadCount), free: make(chan []byte, aheadCount), done: make(chan struct{})}
	for range aheadCount {
		a.free <- make([]byte, aheadSize)
	}
	a.ended.Go(func() { a.fill(r) })
	return a
}

type piece struct {
	b   []byte
	err error
}

type ahead struct {
	full  chan piece
	free  chan []byte
	done  chan struct{}
	close sync.Once
	ended sync.WaitGroup

	now  piece
	left []byte
}

func (a *ahead) fill(r io.Reader) {
	for {
		var b []byte
		select {
		case b = <-a.free:
		case <-a.done:
			return
		}
		n, err := 0, error(nil)
		for n < len(b) && err == nil {
			var k int
			k, err = r.Read(b[n:])
			n += k
		}
		select {
		case a.full <- piece{b[:n], err}:
		case <-a.done:
			return
		}
		if err != nil {
			return
		}
	}
}

func (a *ahead) Read(b []byte) (int, error) {
	for len(a.left) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.b != nil {
			a.free <- a.now.b[:aheadSize]
		}
		select {
		case a.now = <-a.full:
		case <-a.done:
			return 0, io.ErrClosedPipe
		}
		a.left = a.now.b
	}
	n := copy(b, a.left)
	a.left = a.left[n:]
	return n, nil
}

func (a *ahead) Close() error {
	a.close.Do(func() { close(a.done) })
	a.ended.Wait()
	return nil
}
