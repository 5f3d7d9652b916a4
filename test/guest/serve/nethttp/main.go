// Command nethttp is a guest: HTTP servers and clients, UDP, and the addresses
// of the machine, through Go's own resolver and poller.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

func main() {
	l, err := net.Listen("tcp", "localhost:0")
	fmt.Println(l.Addr(), err)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d", r.Method, r.RemoteAddr, len(b))
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	var wg sync.WaitGroup
	out := make([]string, 20)
	for i := range out {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, err := http.Post("http://"+l.Addr().String()+"/", "text/plain", strings.NewReader(strings.Repeat("x", i*100000)))
			if err != nil {
				out[i] = err.Error()
				return
			}
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			out[i] = string(b)
		}()
	}
	wg.Wait()
	for _, s := range out {
		fmt.Println(s)
	}
	c := http.Client{Timeout: 2 * time.Second}
	_, err = c.Get("http://" + l.Addr().String() + "/slow")
	fmt.Println(err)
	fmt.Println(srv.Shutdown(context.Background()))
	_, err = net.Dial("tcp", l.Addr().String())
	fmt.Println(err)
	_, err = net.Dial("tcp", "example.com:80")
	fmt.Println(err)
	_, err = net.DialTimeout("tcp", "192.0.2.1:80", time.Second)
	fmt.Println(err)
	a, err := net.InterfaceAddrs()
	fmt.Println(a, err)
	ifs, err := net.Interfaces()
	fmt.Println(ifs, err)
	u, err := net.ListenPacket("udp", ":0")
	fmt.Println(u.LocalAddr(), err)
	d, _ := net.Dial("udp", u.LocalAddr().String())
	d.Write([]byte("hi"))
	b := make([]byte, 10)
	n, from, err := u.ReadFrom(b)
	fmt.Println(string(b[:n]), from, err)
	u.WriteTo([]byte("back"), from)
	n, err = d.Read(b)
	fmt.Println(string(b[:n]), err)
	l2, _ := net.Listen("tcp", ":8080")
	fmt.Println(l2.Addr())
	go func() { c, _ := l2.Accept(); io.Copy(c, c); c.Close() }()
	c2, err := net.Dial("tcp", "[::1]:8080")
	fmt.Println(err)
	c2.Write([]byte("ping"))
	c2.(*net.TCPConn).CloseWrite()
	all, err := io.ReadAll(c2)
	fmt.Println(string(all), err)
	idle, err := net.Dial("tcp", "127.0.0.1:8080") // waits in the queue for ever
	fmt.Println(err)
	idle.SetReadDeadline(time.Now().Add(time.Second))
	_, err = idle.Read(b)
	fmt.Println(err)
}
