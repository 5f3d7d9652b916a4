package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
	"dettrace/internal/run"
	"dettrace/internal/store"
)

// OpenStore opens the store that --store, or else the host's environment, names.
func OpenStore(flag string, host Host) (*store.Store, error) {
	dir := flag
	if dir == "" {
		var err error
		dir, err = store.DefaultDir(func(name string) string {
			value, _ := Lookup(host.Env, name)
			return value
		})
		if err != nil {
			return nil, err
		}
	}
	return store.Open(hostPath(dir, host.Dir))
}

// lookInStore is OpenStore for who only looks a name up. Where nobody named a
// store, and the default one has no place or one that cannot be reached, there is no
// name.
func lookInStore(flag string, host Host) (*store.Store, error) {
	st, err := OpenStore(flag, host)
	named, _ := Lookup(host.Env, "DETTRACE_STORE")
	if flag == "" && named == "" && (errors.Is(err, store.ErrNoPlace) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOTDIR)) {
		return nil, fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return st, err
}

const imageAdvice = "--image takes host, a directory, a tar archive, or a name of the store (dettrace image list)"

// setImage finds what --image means:
//
//	host                 the host's system directories
//	dir:PATH, tar:PATH   a path
//	/..., ./..., ../...  a path, and also "." and ".."
//	sha256:PREFIX        an image of the store
//	image:NAME           an image of the store
//	anything else        a path or a name of the store, whichever is there;
//	                     it is an error when both are
func setImage(s *run.Spec, f Flags, host Host) error {
	ref := f.Image
	switch {
	case ref == "host":
		s.Image = "host"
		return nil
	case ref == "":
		return hint.With(errors.New("--image: empty"), imageAdvice)
	case strings.HasPrefix(ref, "dir:"), strings.HasPrefix(ref, "tar:"):
		return setImagePath(s, ref[:3], ref[4:], host)
	case isPath(ref):
		return setImagePath(s, "", ref, host)
	case strings.HasPrefix(ref, "sha256:"), strings.HasPrefix(ref, "image:"):
		return setStoreImage(s, f, host)
	}
	_, pathErr := os.Stat(hostPath(ref, host.Dir))
	err := setStoreImage(s, f, host)
	switch {
	case err == nil && pathErr == nil:
		return hint.With(fmt.Errorf("image %s: both a path and a name of the store", ref), "write ./"+ref+" or image:"+ref)
	case err == nil:
		return nil
	case pathErr == nil:
		return setImagePath(s, "", ref, host)
	case errors.Is(err, store.ErrUnknown):
		advice := imageAdvice
		if near := hint.Of(err); strings.HasPrefix(near, "did you mean") {
			advice = near
		}
		return hint.With(fmt.Errorf("image %s: %w, and no image of that name in the store", ref, reason(pathErr)), advice)
	}
	return err
}

// FindStored finds the image of the store that ref means where a path may stand,
// too, by the rules of setImage; false for a path.
func FindStored(ref, storeFlag string, host Host) (*store.Store, store.Image, bool, error) {
	if isPath(ref) {
		return nil, store.Image{}, false, nil
	}
	_, pathErr := os.Lstat(hostPath(ref, host.Dir))
	marked := strings.HasPrefix(ref, "sha256:") || strings.HasPrefix(ref, "image:")
	st, err := lookInStore(storeFlag, host)
	var img store.Image
	if err == nil {
		img, err = st.Resolve(ref)
	}
	switch {
	case err == nil && pathErr == nil && !marked:
		return nil, img, false, hint.With(fmt.Errorf("%s: both a path and a name of the store", ref), "write ./"+ref+" or image:"+ref)
	case err == nil:
		return st, img, true, nil
	case marked || !errors.Is(err, store.ErrUnknown):
		return nil, img, false, err
	case pathErr != nil:
		return nil, img, false, hint.With(fmt.Errorf("%s: %w, and no image of that name in the store", ref, reason(pathErr)), hint.Of(err))
	}
	return nil, img, false, nil
}

// isPath reports whether ref is a path by its form.
func isPath(ref string) bool {
	first, _, _ := strings.Cut(ref, "/")
	return first == "" || first == "." || first == ".."
}

func setImagePath(s *run.Spec, kind, name string, host Host) error {
	full := hostPath(name, host.Dir)
	info, err := os.Stat(full)
	switch {
	case err != nil:
		return hint.With(fmt.Errorf("image %s: %w", name, reason(err)), imageAdvice)
	case info.IsDir() && kind != "tar":
		if err := unix.Faccessat(unix.AT_FDCWD, full, unix.R_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
		s.Image = "dir:" + full
	case info.Mode().IsRegular() && kind != "dir":
		s.Image = "tar:" + full
	case kind == "dir":
		return hint.With(fmt.Errorf("image %s: not a directory", name), imageAdvice)
	default:
		return hint.With(fmt.Errorf("image %s: neither a directory nor a tar file", name), imageAdvice)
	}
	return nil
}

func setStoreImage(s *run.Spec, f Flags, host Host) error {
	st, err := lookInStore(f.Store, host)
	if err != nil {
		return err
	}
	img, err := st.Resolve(f.Image)
	if err != nil {
		return err
	}
	s.Image, s.Store, s.Config = img.Digest, st.Dir(), img.Config
	return nil
}

// setCommit checks the name of --commit. A name that is taken is no error yet:
// it may stand for the very image that the run will make.
func setCommit(s *run.Spec, f Flags, host Host) error {
	if f.Commit == "" {
		return nil
	}
	if err := store.CheckName(f.Commit); err != nil {
		return hint.With(fmt.Errorf("--commit: %w", err), hint.Of(err))
	}
	st, err := OpenStore(f.Store, host)
	if err != nil {
		return err
	}
	s.Commit, s.CommitStore = f.Commit, st.Dir()
	return nil
}

// setCommand joins entrypoint and arguments as the OCI image specification
// has it: words on the command line take the place of Cmd, and --entrypoint
// that of Entrypoint and Cmd.
func setCommand(s *run.Spec, f Flags, args []string) error {
	entry, cmd := s.Config.Entrypoint, s.Config.Cmd
	if f.Entrypoint != nil {
		var err error
		if entry, err = parseEntrypoint(*f.Entrypoint); err != nil {
			return err
		}
		cmd = nil
	}
	if len(args) > 0 {
		cmd = args
	}
	s.Command = append(append([]string(nil), entry...), cmd...)
	if len(s.Command) == 0 || s.Command[0] == "" {
		return ErrNoCommand
	}
	return nil
}

// parseEntrypoint reads one word, or a JSON array of them.
func parseEntrypoint(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(text, "[") {
		return []string{text}, nil
	}
	var words []string
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		return nil, hint.With(fmt.Errorf("--entrypoint %s: not a JSON array of strings", text), `for example --entrypoint '["sh", "-c"]'`)
	}
	return words, nil
}

// workdir is --workdir, else the image's; "/" is what image builders write for
// none.
func workdir(flag, image string) string {
	if flag == "" && image != "" && guestPath(image, "/") != "/" {
		return guestPath(image, "/")
	}
	return guestPath(flag, SourceDir)
}
