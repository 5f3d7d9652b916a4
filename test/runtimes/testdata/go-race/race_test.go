package race

import (
	"sync"
	"testing"
)

func TestLocked(t *testing.T) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	n := 0
	for range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mu.Lock()
			n++
			mu.Unlock()
		}()
	}
	wg.Wait()
	if n != 50 {
		t.Fatal(n)
	}
}

// TestRacy fails: the race is what the detector is for.
func TestRacy(t *testing.T) {
	var wg sync.WaitGroup
	n := 0
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n++
		}()
	}
	wg.Wait()
	t.Log(n)
}
