// Goroutines, select, timers and maps: what Go makes random on purpose.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	fmt.Println("cpus", runtime.NumCPU(), runtime.GOMAXPROCS(0))
	goroutines()
	selects()
	timers()
	processors()
	garbage()
	signals()
	nils()
	out, err := exec.Command("sh", "-c", "echo child $$").Output()
	fmt.Printf("exec %q %v\n", out, err)
	keys := map[string]int{}
	for i := range 20 {
		keys[fmt.Sprint("k", i)] = i
	}
	var order []string
	for k := range keys {
		order = append(order, k)
	}
	fmt.Println("map", strings.Join(order, " "), "rand", rand.Int63())
}

func goroutines() {
	var wg sync.WaitGroup
	var exact atomic.Int64
	var mu sync.Mutex
	var order []int
	racy := 0
	start := make(chan struct{})
	for i := range 1000 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			for range 100 {
				racy++
				exact.Add(1)
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
		}()
	}
	close(start)
	wg.Wait()
	h := 0
	for _, n := range order {
		h = h*31 + n
	}
	fmt.Println("goroutines", exact.Load(), "racy", racy, "order", h, sort.IntsAreSorted(order))
}

func selects() {
	a, b, c := make(chan int, 100), make(chan int, 100), make(chan int, 100)
	for i := range 100 {
		a <- i
		b <- i
		c <- i
	}
	var s strings.Builder
	for range 300 {
		select {
		case <-a:
			s.WriteByte('a')
		case <-b:
			s.WriteByte('b')
		case <-c:
			s.WriteByte('c')
		}
	}
	fmt.Println("select", s.String()[:60])
}

func timers() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	tick := time.NewTicker(7 * time.Millisecond)
	defer tick.Stop()
	start, n := time.Now(), 0
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			n++
		case <-ctx.Done():
		}
	}
	fmt.Println("timers", n, time.Since(start))
}

func processors() {
	runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(1)
	ch := make(chan int)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			x := 0
			for i := range 200_000 {
				x += i * w
			}
			ch <- x
		}()
	}
	var got []int
	for range 4 {
		got = append(got, <-ch)
	}
	wg.Wait()
	fmt.Println("processors", got)
}

func garbage() {
	var keep [][]byte
	for i := range 20_000 {
		b := make([]byte, 16<<10)
		b[i%len(b)] = 1
		if i%100 == 0 {
			keep = append(keep, b)
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println("garbage", len(keep), m.NumGC > 0)
}

func signals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	for range 10 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			fmt.Println(err)
		}
		<-c
	}
	fmt.Println("signals ok")
}

func nils() {
	defer func() { fmt.Println("recovered:", recover()) }()
	var p *int
	*p = 1
}
