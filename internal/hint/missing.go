package hint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ForMissing is the advice for a command that the guest does not have: when
// the host has it on its PATH, the exact flags that show it to the guest;
// "" when the host has none either. env is the host's environment; guestPath
// the guest's PATH, which the advice extends.
//
// Tool managers put a small front end on PATH and the tool elsewhere, so the
// file that was found is not enough: rustup, nvm, virtualenv and pyenv are known.
func ForMissing(command string, env []string, guestPath string) string {
	h := &hostTools{env: env, guestPath: guestPath}
	file := h.find(command)
	if file == "" {
		return ""
	}
	for _, layout := range []func(string) string{h.rustup, h.nvm, h.virtualenv, h.pyenv} {
		if advice := layout(file); advice != "" {
			return advice
		}
	}
	return h.plain(file)
}

// hostTools looks for commands with one environment.
type hostTools struct {
	env       []string
	guestPath string
}

func (h *hostTools) get(name string) string {
	for _, kv := range slices.Backward(h.env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// find is execvp(3)'s search, without its fall-back for an empty PATH.
func (h *hostTools) find(command string) string {
	if strings.Contains(command, "/") {
		if filepath.IsAbs(command) && executable(command) {
			return filepath.Clean(command)
		}
		return "" // relative to a directory that the guest sees
	}
	for _, dir := range filepath.SplitList(h.get("PATH")) {
		if file := filepath.Join(dir, command); filepath.IsAbs(dir) && executable(file) {
			return file
		}
	}
	return ""
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// rustup: cargo, rustc and the others in CARGO_HOME/bin are the rustup
// binary, which finds the tool of that name in a toolchain of RUSTUP_HOME.
func (h *hostTools) rustup(file string) string {
	bin := filepath.Dir(file)
	if !executable(filepath.Join(bin, "rustup")) || filepath.Base(bin) != "bin" {
		return ""
	}
	cargoHome := filepath.Dir(bin)
	rustupHome := h.get("RUSTUP_HOME")
	if rustupHome == "" {
		rustupHome = filepath.Join(filepath.Dir(cargoHome), ".rustup")
	}
	if _, err := os.Stat(filepath.Join(rustupHome, "toolchains")); err != nil {
		return ""
	}
	return h.flags([]string{cargoHome, rustupHome}, bin, "CARGO_HOME="+cargoHome, "RUSTUP_HOME="+rustupHome)
}

// nvm: NVM_DIR/versions/node/VERSION is a complete prefix.
func (h *hostTools) nvm(file string) string {
	bin := filepath.Dir(file)
	prefix := filepath.Dir(bin)
	if filepath.Base(bin) != "bin" || filepath.Base(filepath.Dir(prefix)) != "node" ||
		filepath.Base(filepath.Dir(filepath.Dir(prefix))) != "versions" {
		return ""
	}
	return h.flags([]string{prefix}, bin)
}

// virtualenv: a prefix with pyvenv.cfg, whose "home" is the directory of the
// interpreter that it was made from. Scripts name their interpreter by an
// absolute path, so the environment keeps its place.
func (h *hostTools) virtualenv(file string) string {
	bin := filepath.Dir(file)
	prefix := filepath.Dir(bin)
	config, err := os.ReadFile(filepath.Join(prefix, "pyvenv.cfg"))
	if err != nil {
		return ""
	}
	inputs := []string{prefix}
	for line := range strings.Lines(string(config)) {
		key, value, _ := strings.Cut(line, "=")
		if home := strings.TrimSpace(value); strings.TrimSpace(key) == "home" && filepath.IsAbs(home) && !system(home) {
			inputs = append(inputs, prefixOf(home))
		}
	}
	return h.flags(inputs, bin, "VIRTUAL_ENV="+prefix)
}

// pyenv: PYENV_ROOT/shims holds scripts that ask pyenv for the version; the
// advice goes straight to the version.
func (h *hostTools) pyenv(file string) string {
	shims := filepath.Dir(file)
	root := filepath.Dir(shims)
	if filepath.Base(shims) != "shims" {
		return ""
	}
	versions := strings.Fields(strings.ReplaceAll(h.get("PYENV_VERSION"), ":", " "))
	if global, err := os.ReadFile(filepath.Join(root, "version")); err == nil && len(versions) == 0 {
		versions = strings.Fields(string(global))
	}
	for _, v := range versions {
		bin := filepath.Join(root, "versions", v, "bin")
		if !strings.ContainsRune(v, '/') && executable(filepath.Join(bin, filepath.Base(file))) {
			return h.flags([]string{filepath.Dir(bin)}, bin)
		}
	}
	// No version chosen, or "system": the shims decide, in the guest.
	return h.flags([]string{root}, shims+":"+filepath.Join(root, "bin"), "PYENV_ROOT="+root)
}

// plain shows the prefix of the file, and that of what it links to.
func (h *hostTools) plain(file string) string {
	bin := filepath.Dir(file)
	if system(bin) {
		return "the host has " + file + "; install it in the image, or use --image host"
	}
	inputs := []string{prefixOf(bin)}
	if real, err := filepath.EvalSymlinks(file); err == nil && !system(filepath.Dir(real)) {
		if target := prefixOf(filepath.Dir(real)); !below(target, inputs[0]) {
			inputs = append(inputs, target)
		}
	}
	return h.flags(inputs, bin)
}

// flags is the advice itself, in a form for the shell.
func (h *hostTools) flags(inputs []string, bin string, env ...string) string {
	var words []string
	for _, in := range inputs {
		words = append(words, "-i "+quote(in+":same"))
	}
	path := bin
	if h.guestPath != "" {
		path += ":" + h.guestPath
	}
	for _, kv := range append([]string{"PATH=" + path}, env...) {
		words = append(words, "-e "+quote(kv))
	}
	return "the host has it; show it to the guest: " + strings.Join(words, " ")
}

// prefixOf is the directory that belongs to a directory of commands: the
// prefix for PREFIX/bin, unless that is a whole home or a root.
func prefixOf(bin string) string {
	prefix := filepath.Dir(bin)
	base := filepath.Base(bin)
	if base != "bin" && base != "sbin" || prefix == "/" || prefix == "/root" || filepath.Dir(prefix) == "/home" ||
		filepath.Base(prefix) == ".local" {
		return bin
	}
	return prefix
}

// system reports whether dir belongs to an image and not to a user.
func system(dir string) bool {
	for _, s := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib64"} {
		if below(dir, s) {
			return true
		}
	}
	return false
}

func below(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// quote quotes a word for the shell where it needs it.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:=+,@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
