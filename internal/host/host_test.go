package host

import (
	"bytes"
	"os"
	"runtime"
	"testing"
)

func TestClocks(t *testing.T) {
	a, b := Now(), Now()
	if a < 1e18 || b < a {
		t.Errorf("%d, then %d", a, b)
	}
	if boot := BootTime(); boot >= b || boot < 1e18 {
		t.Errorf("boot %d, now %d", boot, b)
	}
	if v, ok := Clock(CPUClock(os.Getpid())); !ok || v <= 0 {
		t.Errorf("CPU clock: %d %v", v, ok)
	}
	if _, ok := Clock(99); ok {
		t.Error("a clock that does not exist has a value")
	}
}

func TestRandom(t *testing.T) {
	a, b := make([]byte, 1000), make([]byte, 1000)
	if Random(a) != nil || Random(b) != nil || bytes.Equal(a, b) {
		t.Error("twice the same")
	}
}

func TestSize(t *testing.T) {
	if n := CPUs(); n < 1 || n > runtime.NumCPU() {
		t.Errorf("%d CPUs", n)
	}
	if n := Memory(); n < 64<<20 || n&1023 != 0 {
		t.Errorf("%d bytes", n)
	}
}
