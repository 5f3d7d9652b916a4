package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// progress is one line on a terminal that says how far long work is; on
// anything else it is nothing.
type progress struct {
	w     io.Writer
	done  chan struct{}
	ended sync.WaitGroup
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok {
		return &progress{}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return &progress{}
	}
	return &progress{w: w}
}

// start shows what text gives until stop.
func (p *progress) start(text func() string) {
	if p.w == nil {
		return
	}
	p.done = make(chan struct{})
	p.ended.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.done:
				fmt.Fprint(p.w, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(p.w, "\r\x1b[K%s", text())
			}
		}
	})
}

// stop takes the line away.
func (p *progress) stop() {
	if p.done != nil {
		close(p.done)
		p.ended.Wait()
	}
}
