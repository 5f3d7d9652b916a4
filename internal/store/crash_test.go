package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"dettrace/internal/rootfs"
)

// The test binary is also the processes that use a store at once and die.
// STORE_TEST is "DIR SEED STEPS DIE": STEPS actions that SEED chooses, and
// SIGKILL at the DIE-th place where it may happen (0: never).
func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv("STORE_TEST")); len(args) == 4 {
		if err := user(args); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func user(args []string) error {
	var n [3]int
	for i, a := range args[1:] {
		var err error
		if n[i], err = strconv.Atoi(a); err != nil {
			return err
		}
	}
	s, err := Open(args[0])
	if err != nil {
		return err
	}
	var steps atomic.Int64
	if n[2] > 0 {
		s.step = func() {
			if steps.Add(1) == int64(n[2]) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // until it comes
			}
		}
	}
	r := rand.New(rand.NewPCG(uint64(n[0]), 1))
	for range n[1] {
		if err := act(s, r); err != nil {
			return err
		}
	}
	return nil
}

// act adds, removes, reads or collects.
func act(s *Store, r *rand.Rand) error {
	which := r.IntN(4)
	name := fmt.Sprintf("image%d", which)
	switch k := r.IntN(10); {
	case k < 5:
		b, err := s.Begin()
		if err != nil {
			return err
		}
		if err := b.Apply(bytes.NewReader(variant(which)), rootfs.Options{}); err != nil {
			return errors.Join(err, b.Close())
		}
		_, err = b.Commit(Config{}, name, false, Origin{Kind: "test"})
		return errors.Join(err, b.Close())
	case k < 7:
		if err := s.Remove(name); err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
	case k < 8:
		_, err := s.GC(false, func() {})
		return err
	default:
		img, err := s.Resolve(name)
		if errors.Is(err, ErrUnknown) {
			return nil
		}
		if err != nil {
			return gone(err)
		}
		return read(s, img)
	}
	return nil
}

// gone forgives that somebody removed the image meanwhile; whatever else is
// wrong is an error.
func gone(err error) error {
	if strings.Contains(err.Error(), "not in the store") {
		return nil
	}
	return err
}

// read opens an image: from then on all of it is there.
func read(s *Store, img Image) error {
	l, err := s.OpenLayer(img.Digest, 0)
	if err != nil {
		return gone(err)
	}
	defer l.Close()
	bad, err := s.Verify(img.Digest, &Verified{})
	if err != nil || len(bad) > 0 {
		return fmt.Errorf("%s: %v %v", img.Digest, bad, err)
	}
	return nil
}

// variant is an archive with contents of its own and shared ones.
func variant(i int) []byte {
	var ents []string
	for k := range 12 {
		ents = append(ents, fmt.Sprintf("f%d=%s", k, strings.Repeat(fmt.Sprint("shared ", k), 50)))
	}
	for k := range 3 {
		ents = append(ents, fmt.Sprintf("own%d=%d %d", k, i, k))
	}
	ents = append(ents, fmt.Sprintf("big=%s", strings.Repeat(fmt.Sprint("big ", i/2), 200_000)))
	return pack(nil2{}, ents...)
}

// nil2 is a testing.TB for processes that have none.
type nil2 struct{ testing.TB }

func (nil2) Helper() {}

func (nil2) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func start(t *testing.T, s *Store, seed, steps, die int) (wait func() (killed bool)) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := exec.Command(self)
	c.Env = append(os.Environ(), fmt.Sprintf("STORE_TEST=%s %d %d %d", s.dir, seed, steps, die))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	must(t, c.Start())
	return func() bool {
		err := c.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			return true
		}
		if err != nil {
			t.Errorf("seed %d, die %d: %v\n%s", seed, die, err, out.Bytes())
		}
		return false
	}
}

// sound checks that every image is complete, and that nothing else is left
// after a collection.
func sound(t *testing.T, s *Store) {
	t.Helper()
	list, err := s.List()
	must(t, err)
	for _, img := range list {
		if bad, err := s.Verify(img.Digest, &Verified{}); err != nil || len(bad) > 0 {
			t.Errorf("%s %v: %v %v", img.Digest, img.Names, bad, err)
		}
	}
	names, err := s.Names()
	must(t, err)
	for _, name := range names {
		if _, err := s.Resolve(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = s.GC(false, func() { t.Error("a lock is held") })
	must(t, err)
	if n := count(t, s.path("tmp")); n != 0 {
		t.Errorf("%d files in tmp", n)
	}
	list, err = s.List()
	must(t, err)
	want := map[string]bool{}
	for _, img := range list {
		if len(img.Names) == 0 {
			t.Errorf("%s has no name", img.Digest)
		}
		tree, _, err := s.Tree(img.Digest)
		must(t, err)
		must(t, tree.Walk(func(_ string, n *rootfs.Node) error {
			if n.IsRegular() && n.Size > 0 {
				want[blobName(n.Digest)] = true
			}
			return nil
		}))
	}
	if n := count(t, s.path("blobs")); n != len(want) {
		t.Errorf("%d blobs, %d are needed", n, len(want))
	}
}

// A process that dies at any place leaves a sound store, and the next one does
// the work as if nothing had been.
func TestKilled(t *testing.T) {
	seeds, stride := []int{3, 8}, 4
	if testing.Short() {
		seeds, stride = seeds[:1], 13
	}
	for _, seed := range seeds {
		for die := 1; ; die += stride {
			s := newStore(t)
			add(t, s, "image0", Config{}, variant(0)) // something to keep and to collect
			killed := start(t, s, seed, 6, die)()
			sound(t, s)
			start(t, s, seed, 6, 0)()
			sound(t, s)
			if !killed {
				if die < 20 {
					t.Errorf("seed %d: only %d places to die", seed, die)
				}
				break
			}
		}
	}
}

// Several processes at once, of which some die.
func TestAtOnce(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		s := newStore(t)
		var waits []func() bool
		for p := range 4 {
			die := 0
			if p%2 == 1 {
				die = 1 + (round*37+p*11)%60
			}
			waits = append(waits, start(t, s, round*10+p, 15, die))
		}
		for _, wait := range waits {
			wait()
		}
		sound(t, s)
	}
}
