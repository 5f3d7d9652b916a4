package real

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dettrace/internal/explain"
	"dettrace/test/lab"
)

// outside is real software that is the same inside a container, and is not where nobody
// fixes what the container does.
type outside struct {
	name, source, guest, sub, image string // as of a Build
	only                            []string
	command                         []string
	content                         []string // files whose content differs with --vary all
	silent                          string   // sources that reach none of them
}

func outsides() []outside {
	return []outside{
		{ // configure writes a log with date and $$
			name: "zlib", source: "src/zlib", guest: "/build/src", image: "host",
			only: []string{"configure.log", "Makefile", "zconf.h"}, command: []string{"sh", "./configure", "--static"},
			content: []string{"build/src/configure.log"}, silent: "locales,domain_host,kernel,random,exec_path",
		},
		{ // -g of Python's CFLAGS: the directory of the compilation
			name: "markupsafe", source: "src/markupsafe", guest: "/build/src", image: "image/debian",
			only: []string{"build/lib*/*/*.so"}, command: []string{"python3", "setup.py", "build_ext"},
			content: []string{"build/src/build/lib.linux-x86_64-cpython-311/markupsafe/_speedups.cpython-311-x86_64-linux-gnu.so"},
		},
		{ // The .dsc and the tarball are reproducible, but for umask; the .buildinfo says when and where.
			name: "source package moreutils", source: "deb/moreutils", guest: "/build", sub: "src", image: "image/debian",
			only: []string{"../*.dsc", "../*.debian.tar.xz", "../*.buildinfo"}, command: []string{"dpkg-buildpackage", "-us", "-uc", "-S", "-d", "-nc"},
			content: []string{"build/moreutils_0.67-1_source.buildinfo"}, silent: "random,fileordering,domain_host,kernel",
		},
	}
}

// TestOutside: verify says the same of them, verify --vary all another thing, and
// names what differs; with sources that do not reach it all is the same outside, too.
func TestOutside(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds of seconds")
	}
	cache, bin := cacheDir(t), binary(t)
	for _, o := range outsides() {
		t.Run(strings.ReplaceAll(o.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			image := o.image
			if image != "host" {
				if image = filepath.Join(cache, image); os.Geteuid() != 0 {
					t.Skip("an image that owns its files: run as root")
				} else if _, err := os.Stat(image); err != nil {
					t.Skip("no image: run test/real/fetch.sh as root")
				}
			}
			verify := func(list string) (status int, result, out string, content []string) {
				t.Helper()
				args := []string{"verify", "--json", "--vary", list, "--image", image, "--no-default-input",
					"-i", filepath.Join(cache, o.source) + ":" + o.guest, "-w", filepath.Join(o.guest, o.sub)}
				for _, g := range o.only {
					args = append(args, "--only", g)
				}
				// Messages of dpkg-buildpackage have the host's name and the like.
				args = append(args, "--", "sh", "-c", `exec "$@" >/dev/null 2>&1`, "sh")
				r := lab.DoWithin(t, exec.Command(bin, append(args, o.command...)...), imageLimit)
				var v struct {
					Result  string
					Outside *explain.Outside
				}
				if err := json.Unmarshal([]byte(r.Stdout), &v); err != nil || v.Outside == nil {
					t.Fatalf("status %d, %v\n%s%s", r.Status, err, r.Stdout, r.Stderr)
				}
				for _, p := range v.Outside.Places {
					if slices.Contains(p.Kinds, "content") {
						content = append(content, p.Path)
					}
				}
				return r.Status, v.Result, v.Outside.Result, content
			}
			if status, result, out, content := verify("all"); status != 1 || result != "same" || out != "different" || !slices.Equal(content, o.content) {
				t.Errorf("status %d, inside %s, outside %s: content of %q, want %q", status, result, out, content, o.content)
			}
			if o.silent == "" {
				return
			}
			if status, result, out, content := verify(o.silent); status != 0 || result != "same" || out != "same" {
				t.Errorf("--vary %s: status %d, inside %s, outside %s: content of %q", o.silent, status, result, out, content)
			}
		})
	}
}
