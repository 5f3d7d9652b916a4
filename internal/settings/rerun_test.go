package settings

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// TestHostPaths: whoever adds a flag says whether it holds a path of the host;
// runs of verify start in other directories.
func TestHostPaths(t *testing.T) {
	noPath := []string{
		"no-default-input", "hide", "input-mtime", "follow-inputs", "workdir", "entrypoint", "commit", "force", "output-on-failure", "write-back", "env", "env-host",
		"epoch", "seed", "schedule-seed", "vary", "vary-seed", "cpus", "hostname", "user", "allow", "timeout", "spin-limit", "memory", "pids",
		"no-fast-paths", "profile", "timing", "verbose", "quiet", "strict", "progress",
		"cpu-model", "host-order", "tty", "tty-size", "on-failure",
	}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	var f Flags
	Register(fs, &f)
	fs.VisitAll(func(x *pflag.Flag) {
		if slices.Contains(noPath, x.Name) == slices.Contains(HostPaths(), x.Name) {
			t.Errorf("--%s: list it in HostPaths (and in Absolute), or here", x.Name)
		}
	})
}

func TestAbsolute(t *testing.T) {
	host := Host{Dir: t.TempDir(), Now: func() time.Time { return time.Unix(1e9, 5) }}
	f := Flags{Image: "host", InputMtime: "epoch", CPUs: 1, Hostname: "a", Epoch: "now", Seed: "0", ScheduleSeed: "0", Workdir: SourceDir}
	spec, err := Resolve(f, []string{"true"}, host)
	if err != nil {
		t.Fatal(err)
	}
	got := Absolute([]string{"--image=host", "--epoch=now", "--stdin=x", "--input=y", "--env=A=b"}, spec, f, host)
	want := []string{"--image=host", "--epoch=" + got[1][len("--epoch="):], "--stdin=" + host.Dir + "/x", "--env=A=b"}
	if !slices.Equal(got, want) || got[1] == "--epoch=now" {
		t.Errorf("%q", got)
	}
}

func TestReadFiles(t *testing.T) {
	got := ReadFiles([]string{"--image=dir:/a", "--stdin=/b", "--env=C=/c", "--secret=D", "--secret=E=/e", "--schedule=/f", "--stdin-replay=/g"})
	if want := []string{"/b", "/e", "/f", "/g"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAbsoluteProfile: a profile has paths and a time of the directory that the run is
// started in.
func TestAbsoluteProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "where")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	here, elsewhere := Host{Dir: dir}, Host{Dir: t.TempDir()}
	f := Flags{Image: "host", InputMtime: "epoch", CPUs: 1, Hostname: "a", Seed: "0", ScheduleSeed: "0", Workdir: SourceDir, Preset: "guix"}
	spec, err := Resolve(f, []string{"true"}, here)
	if err != nil {
		t.Fatal(err)
	}
	got := Absolute([]string{"--profile=guix"}, spec, f, here)
	if !slices.Equal(got, []string{"--epoch=1970-01-01T00:00:01Z", "--profile=guix:where"}) {
		t.Fatalf("%q", got)
	}
	f.Preset, f.Epoch = "guix:where", "@1"
	again, err := Resolve(f, []string{"true"}, elsewhere)
	if err != nil || again.Workdir != spec.Workdir || !slices.Equal(again.Own, spec.Own) || !slices.Equal(again.Env, spec.Env) || again.EpochNS != spec.EpochNS {
		t.Errorf("%+v\n%+v, %v", again, spec, err)
	}
}

// TestArgs: flags that were parsed are written and parsed again.
func TestArgs(t *testing.T) {
	parse := func(args []string) (f Flags) {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		Register(fs, &f)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f
	}
	if got := Args(parse(nil)); got != nil {
		t.Errorf("defaults are written: %q", got)
	}
	args := []string{
		"--image=x", "--entrypoint=", "--input=a:b", "--input=c,d", "--no-default-input=true", "--hide=e", "--workdir=/w", "--force=true",
		"--env=A=b c", "--env=D=", "--epoch=@1", "--seed=7", "--cpus=2", "--allow=time", "--timeout=1m", "--pids=9", "--progress=none",
	}
	if got := Args(parse(args)); !slices.Equal(got, args) {
		t.Errorf("got  %q\nwant %q", got, args)
	}
	if got := Args(Bare(parse(append(args, "--vary=all", "--output=o", "--log=l", "--save=s")))); slices.ContainsFunc(got, func(s string) bool {
		return s == "--force=true" || s == "--vary=all" || s == "--output=o" || s == "--log=l" || s == "--save=s" || s == "--progress=none"
	}) || len(got) != len(args)-2 {
		t.Errorf("%q", got)
	}
}
