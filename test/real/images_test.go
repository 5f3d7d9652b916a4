package real

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dettrace/test/lab"
)

// imageLimit is the wall time of one command on an image of 700 MB.
const imageLimit = 5 * time.Minute

// shelf is a store with what is run on it.
type shelf struct {
	t   *testing.T
	dir string // working directory; the store is in it
	bin string
}

func newShelf(t *testing.T) shelf {
	t.Parallel() // it waits for the disk, the builds for the CPUs
	if testing.Short() {
		t.Skip("images of hundreds of megabytes")
	}
	if os.Geteuid() != 0 {
		t.Skip("images that own their files: run as root")
	}
	dir, err := os.MkdirTemp("/var/tmp", "dettrace-images-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return shelf{t, dir, binary(t)}
}

// do runs a command line that must end with status 0 and gives its output.
func (s shelf) do(argv ...string) string {
	s.t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), "HOME="+s.dir, "DETTRACE_STORE="+filepath.Join(s.dir, "store"))
	r := lab.DoWithin(s.t, c, imageLimit)
	if r.Status != 0 {
		s.t.Fatalf("%q: status %d\n%s%s", argv, r.Status, r.Stdout, r.Stderr)
	}
	return strings.TrimSpace(r.Stdout)
}

func (s shelf) dettrace(args ...string) string {
	s.t.Helper()
	return s.do(append([]string{s.bin}, args...)...)
}

func (s shelf) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s shelf) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// TestDebootstrapImage: a tree of debootstrap is one image however it is packed,
// comes out as it went in, and is what a locked build begins with.
func TestDebootstrapImage(t *testing.T) {
	s := newShelf(t)
	tree := filepath.Join(cacheDir(t), "image", "debian")
	if _, err := os.Stat(tree); err != nil {
		t.Skip("no image: run test/real/fetch.sh as root")
	}
	digest := s.dettrace("image", "import", tree, "debian")
	// All of it in another order, by a program that is not ours.
	s.do("sh", "-c", `cd "$1" && find . ! -type s | LC_ALL=C sort -r | tar --format=posix --no-recursion --numeric-owner --xattrs --xattrs-include='*' -cf - -T - >"$OLDPWD/packed.tar"`, "sh", tree)
	if got := s.dettrace("image", "import", "packed.tar"); got != digest {
		t.Errorf("packed: %s, as a directory %s", got, digest)
	}
	s.do("rm", "packed.tar")
	s.dettrace("image", "export", "debian", "out.tar")
	if got := s.dettrace("image", "import", "out.tar", "again"); got != digest {
		t.Errorf("exported: %s, before %s", got, digest)
	}
	s.do("rm", "out.tar")
	s.dettrace("diff", "debian", "again")
	if got := s.dettrace("run", "--image", "again", "--", "cat", "/etc/debian_version"); got != strings.TrimSpace(readFile(t, filepath.Join(tree, "etc", "debian_version"))) {
		t.Errorf("the run sees %q", got)
	}
	lockedBuild(s, digest)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lockedBuild builds from an image with a C compiler: the lock, the same output
// again without the cache, the stored one, and refusal of another input.
func lockedBuild(s shelf, digest string) {
	t := s.t
	s.write("hello.c", "#include <stdio.h>\nint main(void) { puts(\"hello of \" __DATE__); return 0; }\n")
	s.write("dettrace.toml", fmt.Sprintf("image = \"debian@%s\"\ninputs = [\"hello.c\"]\ncommand = [\"gcc\", \"-O2\", \"-g\", \"-o\", \"hello\", \"../hello.c\"]\noutputs = [\"hello\"]\n", digest))
	built := func(args ...string) (cached bool) {
		t.Helper()
		var r struct {
			Builds []struct{ Cached bool }
		}
		if err := json.Unmarshal([]byte(s.dettrace(append([]string{"build", "--json"}, args...)...)), &r); err != nil || len(r.Builds) != 1 {
			t.Fatalf("%v %+v", err, r)
		}
		return r.Builds[0].Cached
	}
	if built() {
		t.Error("the first build is a stored one")
	}
	lock, program := s.read("dettrace.lock"), s.read("hello")
	if !strings.Contains(lock, digest) {
		t.Errorf("no %s in the lock\n%s", digest, lock)
	}
	if got := s.do("./hello"); got != "hello of Jan  1 2026" {
		t.Errorf("%q", got)
	}
	s.do("rm", "hello")
	if !built("--frozen") {
		t.Error("the second build is none of the cache")
	}
	if s.read("hello") != program {
		t.Error("the stored program is another one")
	}
	s.do("rm", "hello")
	if built("--frozen", "--no-cache") {
		t.Error("a stored result with --no-cache")
	}
	if s.read("hello") != program || s.read("dettrace.lock") != lock {
		t.Error("built again, it is another one")
	}
	s.do("rm", "dettrace.lock")
	if built("--no-cache"); s.read("dettrace.lock") != lock {
		t.Errorf("locked again:\n%s\nbefore\n%s", s.read("dettrace.lock"), lock)
	}
	s.dettrace("verify", "-f", ".")
	s.write("hello.c", "int main(void) { return 0; }\n")
	s.do("sh", "-c", `! "$1" build 2>err && grep -q 'not what is locked' err`, "sh", s.bin)
}

// TestUmociImage: an OCI layout of umoci is the image of the archive it was made
// from, with its config.
func TestUmociImage(t *testing.T) {
	s := newShelf(t)
	s.do("sh", "-ec", `mkdir -p root/bin root/etc root/tmp
		cp /bin/busybox root/bin/busybox
		ln -s busybox root/bin/sh; ln root/bin/busybox root/bin/cat
		echo greetings >root/etc/motd; chown 12:34 root/etc/motd; chmod 1777 root/tmp
		find root -exec touch -h -d @1700000000 {} +
		tar --format=posix --numeric-owner -C root -cf root.tar .
		umoci init --layout oci
		umoci new --image oci:base
		umoci unpack --image oci:base bundle
		tar -C bundle/rootfs -xpf root.tar
		umoci repack --image oci:base bundle
		rm -r bundle
		umoci unpack --image oci:base bundle
		rm bundle/rootfs/bin/cat; touch -d @1700000000 bundle/rootfs/bin
		umoci repack --image oci:second bundle
		umoci config --image oci:base --config.env GREETING=hello --config.cmd cat --config.cmd /etc/motd`)
	plain := s.dettrace("image", "import", "root.tar", "plain")
	oci := s.dettrace("image", "import", "--ref", "base", "oci", "umoci")
	if plain == oci {
		t.Error("the config does not count")
	}
	manifest := func(name string) string { return s.dettrace("image", "show", "--manifest", name) }
	noConfig := func(text string) string {
		head, rest, _ := strings.Cut(text, "\n")
		if line, after, _ := strings.Cut(rest, "\n"); strings.HasPrefix(line, "config ") {
			rest = after
		}
		return head + "\n" + rest
	}
	if a, b := noConfig(manifest("plain")), noConfig(manifest("umoci")); a != b {
		t.Errorf("umoci packs another tree:\n%s\n%s", a, b)
	}
	if got := s.dettrace("run", "--image", "umoci"); got != "greetings" {
		t.Errorf("its command says %q", got)
	}
	if got := s.dettrace("run", "--image", "umoci", "--", "/bin/sh", "-c", "echo $GREETING; /bin/busybox stat -c %u:%g /etc/motd"); got != "hello\n12:34" {
		t.Errorf("%q", got)
	}
	// A layer that takes a file away.
	s.dettrace("image", "import", "--ref", "second", "oci", "second")
	if text := manifest("second"); strings.Contains(text, "/bin/cat") || !strings.Contains(text, "/bin/busybox f") {
		t.Errorf("%s", text)
	}
	// Out again, in both formats, packed or not.
	s.dettrace("image", "export", "umoci", "out.tar")
	s.dettrace("image", "export", "--format", "oci-archive", "umoci", "out-oci.tar")
	s.do("gzip", "out-oci.tar")
	for _, name := range []string{"out.tar", "out-oci.tar.gz"} {
		if got := s.dettrace("image", "import", name); got != oci {
			t.Errorf("%s: %s, before %s", name, got, oci)
		}
	}
}
