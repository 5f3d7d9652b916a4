package hint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// host makes files below a temporary directory: "PATH" is an executable,
// "PATH=content" a file, "PATH->target" a symlink.
func host(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range files {
		name, target, isLink := strings.Cut(f, "->")
		name, content, isFile := strings.Cut(name, "=")
		p := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, p)
		case isFile:
			err = os.WriteFile(p, []byte(strings.ReplaceAll(content, "@@", root)), 0o644)
		default:
			err = os.WriteFile(p, []byte("#!/bin/sh\n"), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const lead = "the host has it; show it to the guest: "

func TestForMissing(t *testing.T) {
	for name, c := range map[string]struct {
		files   []string
		env     []string // @@ is the temporary directory
		command string
		want    string
	}{
		"rustup": {
			[]string{".cargo/bin/rustup", ".cargo/bin/cargo->rustup", ".rustup/toolchains/stable/bin/cargo"},
			[]string{"PATH=/nowhere:@@/.cargo/bin"}, "cargo",
			lead + "-i @@/.cargo:same -i @@/.rustup:same -e PATH=@@/.cargo/bin:/bin -e CARGO_HOME=@@/.cargo -e RUSTUP_HOME=@@/.rustup",
		},
		"rustup elsewhere": {
			[]string{"c/bin/rustup", "c/bin/rustc", "r/toolchains/x="},
			[]string{"PATH=@@/c/bin", "RUSTUP_HOME=@@/r"}, "rustc",
			lead + "-i @@/c:same -i @@/r:same -e PATH=@@/c/bin:/bin -e CARGO_HOME=@@/c -e RUSTUP_HOME=@@/r",
		},
		"nvm": {
			[]string{".nvm/versions/node/v20.1.0/bin/node"},
			[]string{"PATH=@@/.nvm/versions/node/v20.1.0/bin"}, "node",
			lead + "-i @@/.nvm/versions/node/v20.1.0:same -e PATH=@@/.nvm/versions/node/v20.1.0/bin:/bin",
		},
		"virtualenv of the system's python": {
			[]string{"proj/venv/bin/pytest", "proj/venv/pyvenv.cfg=home = /usr/bin\nversion = 3.12\n"},
			[]string{"PATH=@@/proj/venv/bin"}, "pytest",
			lead + "-i @@/proj/venv:same -e PATH=@@/proj/venv/bin:/bin -e VIRTUAL_ENV=@@/proj/venv",
		},
		"virtualenv of pyenv's python": {
			[]string{"venv/bin/pip", "venv/pyvenv.cfg=home = @@/.pyenv/versions/3.12.1/bin\n"},
			[]string{"PATH=@@/venv/bin"}, "pip",
			lead + "-i @@/venv:same -i @@/.pyenv/versions/3.12.1:same -e PATH=@@/venv/bin:/bin -e VIRTUAL_ENV=@@/venv",
		},
		"pyenv": {
			[]string{".pyenv/shims/python3", ".pyenv/version=3.11.9\n3.12.1\n", ".pyenv/versions/3.12.1/bin/python3"},
			[]string{"PATH=@@/.pyenv/shims"}, "python3",
			lead + "-i @@/.pyenv/versions/3.12.1:same -e PATH=@@/.pyenv/versions/3.12.1/bin:/bin",
		},
		"pyenv without a version": {
			[]string{".pyenv/shims/python3"},
			[]string{"PATH=@@/.pyenv/shims"}, "python3",
			lead + "-i @@/.pyenv:same -e PATH=@@/.pyenv/shims:@@/.pyenv/bin:/bin -e PYENV_ROOT=@@/.pyenv",
		},
		"a prefix": {
			[]string{"opt/tool-1.2/bin/tool"}, []string{"PATH=@@/opt/tool-1.2/bin"}, "tool",
			lead + "-i @@/opt/tool-1.2:same -e PATH=@@/opt/tool-1.2/bin:/bin",
		},
		"a link to a prefix": {
			[]string{"links/tool->../opt/t/bin/tool", "opt/t/bin/tool"}, []string{"PATH=@@/links"}, "tool",
			lead + "-i @@/links:same -i @@/opt/t:same -e PATH=@@/links:/bin",
		},
		"a name to quote": {
			[]string{"my tools/it"}, []string{"PATH=@@/my tools"}, "it",
			lead + "-i '@@/my tools:same' -e 'PATH=@@/my tools:/bin'",
		},
		"absolute":              {[]string{"t/x"}, nil, "@@/t/x", lead + "-i @@/t:same -e PATH=@@/t:/bin"},
		"the system's":          {nil, []string{"PATH=/usr/bin"}, "env", "the host has /usr/bin/env; install it in the image, or use --image host"},
		"nowhere":               {nil, []string{"PATH=/usr/bin"}, "no-such-command", ""},
		"not executable":        {[]string{"d/x=text"}, []string{"PATH=@@/d"}, "x", ""},
		"a directory":           {[]string{"d/x/y"}, []string{"PATH=@@/d"}, "x", ""},
		"relative":              {nil, []string{"PATH=/usr/bin"}, "./configure", ""},
		"relative PATH entries": {nil, []string{"PATH=.:"}, "missing_test.go", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := filepath.EvalSymlinks(host(t, c.files...))
			if err != nil {
				t.Fatal(err)
			}
			expand := strings.NewReplacer("@@", root)
			var env []string
			for _, kv := range c.env {
				env = append(env, expand.Replace(kv))
			}
			if got, want := ForMissing(expand.Replace(c.command), env, "/bin"), expand.Replace(c.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
