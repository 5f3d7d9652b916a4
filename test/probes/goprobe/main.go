// Command goprobe holds the probes that only a Go program can be: its run
// time seeds map iteration, select and its own random numbers.
package main

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"runtime"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	switch os.Args[1] {
	case "map":
		m := map[int]int{}
		for i := range 64 {
			m[i] = i
		}
		n := 0
		for k := range m {
			fmt.Print(k, " ")
			n++
		}
		fmt.Println()
		if n != 64 {
			os.Exit(1)
		}
	case "select":
		a, b := make(chan int, 100), make(chan int, 100)
		for range 100 {
			a <- 0
			b <- 1
		}
		for range 100 {
			select {
			case x := <-a:
				fmt.Print(x)
			case x := <-b:
				fmt.Print(x)
			}
		}
		fmt.Println()
	case "tcp":
		if err := tcp(); err != nil {
			fmt.Fprintln(os.Stderr, "wrong:", err)
			os.Exit(1)
		}
	case "rand":
		fmt.Println(rand.Uint64(), maphash.String(maphash.MakeSeed(), "x"))
	case "time":
		t := time.Now()
		time.Sleep(20 * time.Millisecond)
		d := time.Since(t)
		fmt.Println(t.UnixNano(), d)
		if d < 20*time.Millisecond || d > 500*time.Millisecond {
			fmt.Fprintln(os.Stderr, "wrong: slept", d)
			os.Exit(1)
		}
	case "runtime":
		fmt.Println(runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.NumGoroutine())
	case "goroutines":
		c := make(chan int)
		for i := range 20 {
			go func() { c <- i }()
		}
		for range 20 {
			fmt.Print(<-c, " ")
		}
		fmt.Println()
	}
}
