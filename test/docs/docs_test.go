package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func all(t *testing.T) []Block {
	t.Helper()
	files, err := Files(root)
	if err != nil {
		t.Fatal(err)
	}
	var list []Block
	for _, f := range files {
		b, err := Blocks(f)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b...)
	}
	return list
}

// TestBlocks: what is not run is in this list, too, for reviewers.
func TestBlocks(t *testing.T) {
	want := []string{
		"README.md: make test",
		"howto-images.md: debootstrap --variant=buildd trixie ./trixie",
		"howto-images.md: docker export CONTAINER > app.tar",
		"howto-images.md: docker save app:1 | zstd > app.tar.zst",
		"howto-images.md: dettrace image pull debian:trixie",
		"howto-images.md: hello=$(nix-build --no-out-link '<nixpkgs>' -A hello)",
		"howto.md: debootstrap --variant=buildd trixie trixie    # as root, once",
		"howto.md: dettrace run --cpu-model x86-64-v3 -- make     # AVX2: CPUs since about 2015",
		"howto.md: dettrace run --allow network -- curl -O https://example.org/x.tar.gz",
		"howto.md: systemd-run --user --scope dettrace run -- make      # or a cgroup of your own",
		"howto.md: dettrace image pull debian:trixie",
	}
	var got []string
	run := 0
	for _, b := range all(t) {
		if b.NotRun != "" {
			first, _, _ := strings.Cut(b.Text, "\n")
			got = append(got, b.File+": "+first)
		} else if b.Script() {
			run++
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("not run:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if run < 30 {
		t.Errorf("only %d blocks are run", run)
	}
}

// TestCommands runs the blocks as they are written.
func TestCommands(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "dettrace"), "./cmd/dettrace")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Runs as another user use the binary, too.
	for _, d := range []string{filepath.Dir(bin), bin} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Root: abs, Dettrace: bin}
	for _, s := range Sections(all(t)) {
		t.Run(fmt.Sprintf("%s/%s", s[0].File, s[0].Section), func(t *testing.T) {
			t.Parallel()
			r.Section(t, s)
		})
	}
}

// TestParser: indented and fenced blocks, and nothing else.
func TestParser(t *testing.T) {
	doc := "# A\n\ntext\n    goes on\n\n    a\n\n    b\n## S\n<!-- docs-test: exits 1; after x y -->\n```sh\nc\n    d\n```\n\n<!-- docs-test: not run: it is too slow -->\n\n    e\n- list\n  text\n"
	file := filepath.Join(t.TempDir(), "x.md")
	if err := os.WriteFile(file, []byte(doc), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Blocks(file)
	want := []Block{
		{File: "x.md", Line: 6, Text: "a\n\nb\n"},
		{File: "x.md", Line: 11, Section: "S", Text: "c\n    d\n", Exits: 1, After: []string{"x y"}},
		{File: "x.md", Line: 18, Section: "S", Text: "e\n", NotRun: "it is too slow"},
	}
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%v\n%+v\n%+v", err, got, want)
	}
	for _, bad := range []string{
		"<!-- docs-test: not run: -->\n\n    x\n", "<!-- docs-test: not run: slow -->\n\n    x\n", "<!-- docs-test: quickly -->\n\n    x\n",
		"<!-- docs-test: output -->\ntext\n", "<!-- docs-test: output -->\n", "```\nx\n", "<!-- docs-test: exits one -->\n\n    x\n",
	} {
		if err := os.WriteFile(file, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if b, err := Blocks(file); err == nil {
			t.Errorf("%q: %+v", bad, b)
		}
	}
}

func TestMissing(t *testing.T) {
	out := "first line\n  pid 17: ar rc lib.a x.o\nlast\n"
	for want, miss := range map[string]string{
		"pid 3: ar rc ...\nlast": "", "...\n\nlast": "", "last\nfirst line": "first line", "pid 3": "pid 3",
	} {
		if got := missing(want, out); got != miss {
			t.Errorf("%q: %q", want, got)
		}
	}
}
