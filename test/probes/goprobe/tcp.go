package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// tcp lets goroutines race to an echo server and prints the order in which
// it accepted them.
func tcp() error {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	const clients = 16
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				fmt.Fprintln(os.Stderr, "wrong:", err)
				return
			}
			fmt.Fprintf(c, "%d ", i)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		})
	}
	seen := map[string]bool{}
	for range clients {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(c)
		if err != nil {
			return err
		}
		fmt.Printf("%s%v\n", b, c.RemoteAddr())
		seen[string(b)] = true
		c.Close()
	}
	wg.Wait()
	if len(seen) != clients {
		return fmt.Errorf("%d clients", len(seen))
	}
	return nil
}
