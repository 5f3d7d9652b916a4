package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/cpu"
	"dettrace/internal/digests"
	"dettrace/internal/image"
	"dettrace/internal/run"
)

// Part is one setting that a result depends on. The value of a variable that
// was taken from the host is a digest.
type Part struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// keyOf is the digest of parts.
func keyOf(parts []Part) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s%d:%s", len(p.Name), p.Name, len(p.Value), p.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// watched is a file of the host that is digested before the run and must be
// the same after it.
type watched struct {
	path  string
	stamp digests.Stamp
}

func (w watched) same() bool {
	var st unix.Stat_t
	return unix.Stat(w.path, &st) == nil && stampOf(&st) == w.stamp
}

func stampOf(st *unix.Stat_t) digests.Stamp {
	return digests.Stamp{Dev: st.Dev, Ino: st.Ino, Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}
}

// digestOf digests a host file; a known one is not read.
func (c *Cache) digestOf(path string) (string, watched, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", watched{}, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", watched{}, err
	}
	w := watched{path, stampOf(&st)}
	if d, ok := c.digests.Get(w.stamp); ok {
		return d, w, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", watched{}, err
	}
	d := "sha256:" + hex.EncodeToString(h.Sum(nil))
	if !w.same() {
		return "", watched{}, fmt.Errorf("%s: %w", path, image.ErrChanged)
	}
	c.digests.Put(w.stamp, d)
	return d, w, nil
}

// parts are all settings of spec that a result depends on, in a fixed order,
// and the files that stand behind them.
func (c *Cache) parts(spec *run.Spec, stdin string) ([]Part, []watched, error) {
	var parts []Part
	var files []watched
	add := func(name string, value any) { parts = append(parts, Part{name, fmt.Sprint(value)}) }
	self, w, err := c.digestOf("/proc/self/exe")
	if err != nil {
		return nil, nil, err
	}
	files = append(files, w)
	add("schema", entrySchema)
	add("dettrace", self)
	for _, f := range run.HostFacts() {
		add("host "+f[0], f[1])
	}
	ref := spec.Image
	if path, ok := strings.CutPrefix(ref, "tar:"); ok {
		d, w, err := c.digestOf(path)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, w)
		ref = "tar " + d
	} else if strings.HasPrefix(ref, "dir:") {
		ref = "dir" // what was read of it says more than its place
	}
	add("image", ref)
	for _, in := range spec.Inputs {
		add("input "+in.Guest, fmt.Sprintf("keep-mtime=%v follow=%v hide=%s", in.KeepMtime, in.Follow, list(in.Hide)))
	}
	add("working directory", spec.Workdir)
	add("directories of the user", list(spec.Own))
	add("command", list(spec.Command))
	var names []string
	for _, kv := range spec.Env {
		name, value, _ := strings.Cut(kv, "=")
		names = append(names, name)
		if slices.Contains(spec.HostEnvNames, name) {
			sum := sha256.Sum256([]byte(value))
			value = "sha256:" + hex.EncodeToString(sum[:])
		}
		add("variable "+name, value)
	}
	add("order of variables", list(names))
	add("epoch", spec.EpochNS)
	add("seed", spec.Seed)
	add("schedule", schedule(spec))
	if spec.Vary != nil {
		add("varied", spec.VaryText())
		add("variables that are not varied", list(spec.DeclaredEnv))
	}
	add("CPUs", max(spec.CPUs, 1))
	add("CPU", spec.CPU(cpu.Host()))
	add("host name", spec.Hostname)
	add("user", spec.User)
	add("doors", list(spec.Allow))
	if spec.Strict {
		add("strict", true)
	}
	add("memory", spec.Memory)
	add("pids", spec.Pids)
	add("standard input", stdin)
	var outs []string
	for _, o := range spec.Outputs {
		outs = append(outs, o.Guest)
	}
	// What was not asked for was not kept.
	add("outputs", list(outs))
	add("outputs on failure", spec.OutputOnFailure)
	add("write back", spec.WriteBack)
	add("save", spec.Save != "")
	add("commit", spec.Commit != "")
	return parts, files, nil
}

func list(words []string) string {
	b, _ := json.Marshal(words) // strings always marshal
	return string(b)
}

// schedule is the order of threads.
func schedule(spec *run.Spec) string {
	if spec.Schedule == nil {
		return "seed " + strconv.FormatUint(spec.ScheduleSeed, 10)
	}
	h := sha256.New()
	_ = spec.Schedule.Write(h) // a hash takes everything
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// errTerminal is standard input that nobody can give again.
var errTerminal = errors.New("standard input is a terminal")

// stdin digests spec.Stdin. One that can be read only once is read to its end
// into an unnamed file first; done closes it.
func (c *Cache) stdin(spec *run.Spec) (digest string, file *watched, done func(), err error) {
	done = func() {}
	if spec.Stdin == nil {
		return "empty", nil, done, nil
	}
	f, isFile := spec.Stdin.(*os.File)
	var st unix.Stat_t
	if isFile {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return "", nil, done, errTerminal
		}
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return "", nil, done, err
		}
	}
	if !isFile || st.Mode&unix.S_IFMT != unix.S_IFREG {
		spool, err := os.CreateTemp(spec.StateDir, "dettrace-stdin-")
		if err != nil {
			return "", nil, done, err
		}
		done = func() { spool.Close() }
		if err := os.Remove(spool.Name()); err != nil {
			return "", nil, done, err
		}
		if _, err := io.Copy(spool, spec.Stdin); err != nil {
			return "", nil, done, err
		}
		if _, err := spool.Seek(0, io.SeekStart); err != nil {
			return "", nil, done, err
		}
		spec.Stdin, f = spool, spool
	} else {
		file = &watched{"/proc/self/fd/" + strconv.Itoa(int(f.Fd())), stampOf(&st)}
	}
	start, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", nil, done, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", nil, done, err
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return "", nil, done, err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), file, done, nil
}
