package settings

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"dettrace/internal/hint"
)

// defaultCacheSize is the most a cache keeps, in bytes.
const defaultCacheSize = 10 << 30

// CacheFlags are the flags that say where the cache is.
type CacheFlags struct {
	Dir  string
	Size string
}

// RegisterCache adds them to fs.
func RegisterCache(fs *pflag.FlagSet, f *CacheFlags) {
	fs.StringVar(&f.Dir, "cache-dir", "", "`DIR` of stored runs (default $XDG_CACHE_HOME/dettrace, else ~/.cache/dettrace)")
	fs.StringVar(&f.Size, "cache-size", "", "most `BYTES` to keep, the runs used last: 500M, 20G (default $DETTRACE_CACHE_SIZE, else 10G)")
}

// ResolveCache gives the folder and the most bytes to keep.
func ResolveCache(f CacheFlags, host Host) (dir string, size int64, err error) {
	flag, text := "--cache-size", f.Size
	if text == "" {
		flag = "DETTRACE_CACHE_SIZE"
		text, _ = Lookup(host.Env, flag)
	}
	size = defaultCacheSize
	if text != "" {
		if size, err = ParseSize(flag, text); err != nil {
			return "", 0, err
		}
	}
	if f.Dir != "" {
		return hostPath(f.Dir, host.Dir), size, nil
	}
	// XDG Base Directory Specification: a relative path is to be ignored.
	if d, ok := Lookup(host.Env, "XDG_CACHE_HOME"); ok && filepath.IsAbs(d) {
		return filepath.Join(d, "dettrace"), size, nil
	}
	if d, ok := Lookup(host.Env, "HOME"); ok && filepath.IsAbs(d) {
		return filepath.Join(d, ".cache", "dettrace"), size, nil
	}
	return "", 0, hint.With(fmt.Errorf("no place for the cache: %w", errors.New("neither XDG_CACHE_HOME nor HOME is set")), "--cache-dir DIR names one")
}
