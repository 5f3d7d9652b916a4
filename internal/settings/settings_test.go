package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"dettrace/internal/hint"
	"dettrace/internal/run"
)

// resolve parses args as `dettrace run` does, in a directory of its own that
// holds a file, a directory and a link.
func resolve(t *testing.T, dir string, args ...string) (run.Spec, error) {
	t.Helper()
	var f Flags
	set := pflag.NewFlagSet("run", pflag.ContinueOnError)
	Register(set, &f)
	if err := set.Parse(args); err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return Resolve(f, set.Args(), Host{
		Dir: dir,
		Env: []string{"CC=clang", "TOKEN=secret", "HOME=/home/me", "TMPDIR=" + dir, "SOURCE_DATE_EPOCH=1", "EMPTY="},
		Now: func() time.Time { return time.Unix(1700000000, 999) },
	})
}

func tree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "proj")
	for _, d := range []string{"sub", "../lib", "../lib/inner"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"file", "odd:name", "image.tar"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("sub", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDefaults(t *testing.T) {
	dir := tree(t)
	got, err := resolve(t, dir, "make", "-j4", "--image", "x")
	if err != nil {
		t.Fatal(err)
	}
	want := run.Spec{
		Image: "host", Inputs: []run.Input{{Host: dir, Guest: "/build/src"}}, Workdir: "/build/src",
		Command: []string{"make", "-j4", "--image", "x"}, EpochNS: 1767225600e9, CPUs: 1, CPUModel: "x86-64-v2", Hostname: "dettrace", StateDir: dir,
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TZ=UTC", "TERM=dumb",
			"SOURCE_DATE_EPOCH=1767225600", "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestInputs(t *testing.T) {
	dir := tree(t)
	lib := filepath.Join(filepath.Dir(dir), "lib")
	src := run.Input{Host: dir, Guest: SourceDir}
	for args, want := range map[string][]run.Input{
		"-i ../lib":                               {src, {Host: lib, Guest: "/build/lib"}},
		"-i sub/../../lib/.:lib":                  {src, {Host: lib, Guest: "/build/src/lib"}},
		"-i ../lib:../x/./y":                      {src, {Host: lib, Guest: "/build/x/y"}},
		"-i ../lib:/a/../../b":                    {{Host: lib, Guest: "/b"}, src},
		"-i ../lib:same":                          {src, {Host: lib, Guest: lib}},
		"-i ../lib:/build/src":                    {{Host: lib, Guest: SourceDir}},
		"-i .":                                    {src},
		"-i .:/src --no-default-input":            {{Host: dir, Guest: "/src"}},
		"-i odd:name:":                            {src, {Host: dir + "/odd:name", Guest: "/build/odd:name"}},
		"-i file:/etc/file":                       {src, {Host: dir + "/file", Guest: "/etc/file"}},
		"-i link:/l":                              {{Host: dir + "/sub", Guest: "/l"}, src},
		"-i ../lib/inner:/o/i -i ../lib:/o":       {{Host: lib, Guest: "/o"}, src, {Host: lib + "/inner", Guest: "/o/i"}},
		"--no-default-input":                      nil,
		"--input-mtime=keep --follow-inputs -i .": {{Host: dir, Guest: SourceDir, KeepMtime: true, Follow: true}},
	} {
		s, err := resolve(t, dir, append(strings.Fields(args), "true")...)
		if err != nil || !reflect.DeepEqual(s.Inputs, want) {
			t.Errorf("%s: %v, %v; want %v", args, s.Inputs, err, want)
		}
	}
}

func TestOutputs(t *testing.T) {
	dir := tree(t)
	for args, want := range map[string]run.Output{
		"-o hello":                    {Guest: "/build/src/hello", Host: dir + "/hello"},
		"-o a/../b//c":                {Guest: "/build/src/b/c", Host: dir + "/b/c"},
		"-o ../x.deb":                 {Guest: "/build/x.deb", Host: dir + "/x.deb"},
		"-o ../*.deb":                 {Guest: "/build/*.deb", Host: dir},
		"-o out/*/x?:":                {Guest: "/build/src/out/*/x?", Host: dir + "/out"},
		"-o /usr/lib/z.so":            {Guest: "/usr/lib/z.so", Host: dir + "/z.so"},
		"-o /usr/lib:here/lib":        {Guest: "/usr/lib", Host: dir + "/here/lib"},
		"-o bin:../bin":               {Guest: "/build/src/bin", Host: filepath.Dir(dir) + "/bin"},
		"-w sub -o x":                 {Guest: "/build/src/sub/x", Host: dir + "/sub/x"},
		"-w /w -o x":                  {Guest: "/w/x", Host: dir + "/x"},
		"--force -o file":             {Guest: "/build/src/file", Host: dir + "/file"},
		"-o ../../../../../../etc/pw": {Guest: "/etc/pw", Host: dir + "/pw"},
	} {
		s, err := resolve(t, dir, append(strings.Fields(args), "true")...)
		if err != nil || len(s.Outputs) != 1 || s.Outputs[0] != want {
			t.Errorf("%s: %v, %v; want %v", args, s.Outputs, err, want)
		}
	}
}

func TestEpochAndEnvironment(t *testing.T) {
	dir := tree(t)
	for args, want := range map[string]struct {
		epoch int64
		sde   string
	}{
		"":                                  {1767225600e9, "1767225600"},
		"--epoch 2024-02-29":                {1709164800e9, "1709164800"},
		"--epoch 2024-02-29T01:00:00+01:00": {1709164800e9, "1709164800"},
		"--epoch 2024-02-29T00:00:00.5Z":    {1709164800e9 + 5e8, "1709164800"},
		"--epoch 2024-02-29T00:00:00":       {1709164800e9, "1709164800"},
		"--epoch @0":                        {0, "0"},
		"--epoch now":                       {1700000000e9, "1700000000"},
		"-e SOURCE_DATE_EPOCH=5":            {5e9, "5"},
		"-e SOURCE_DATE_EPOCH":              {1e9, "1"},
		"--env-host":                        {1767225600e9, "1767225600"},
		"-e SOURCE_DATE_EPOCH=5 --epoch @9": {9e9, "5"},
		"-e SOURCE_DATE_EPOCH=5 -e SOURCE_DATE_EPOCH": {1e9, "1"},
	} {
		s, err := resolve(t, dir, append(strings.Fields(args), "true")...)
		sde, _ := Lookup(s.Env, "SOURCE_DATE_EPOCH")
		if err != nil || s.EpochNS != want.epoch || sde != want.sde {
			t.Errorf("%s: %d, %q, %v; want %v", args, s.EpochNS, sde, err, want)
		}
	}
	s, err := resolve(t, dir, "--env-host", "-e", "A=b=c,d", "-e", "TOKEN=mine", "-e", "CC", "-e", "LANG=", "true")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "b=c,d", "TOKEN": "mine", "CC": "clang", "LANG": "", "HOME": "/root", "EMPTY": ""} {
		if got, ok := Lookup(s.Env, name); !ok || got != want {
			t.Errorf("%s=%q, %v; want %q", name, got, ok, want)
		}
	}
	if want := []string{"CC", "EMPTY"}; !reflect.DeepEqual(s.HostEnvNames, want) {
		t.Errorf("names from the host: %q, want %q", s.HostEnvNames, want)
	}
	s, err = resolve(t, dir, "--user", "1000", "true")
	if _, ok := Lookup(s.Env, "HOME"); ok || err != nil {
		t.Errorf("HOME of an unknown user was guessed (%v)", err)
	}
}

func TestUnits(t *testing.T) {
	dir := tree(t)
	s, err := resolve(t, dir, "--memory", "512M", "--timeout", "90", "--seed", "0xffffffffffffffff", "--pids", "7", "--cpus", "8",
		"--allow", "network", "--allow", "network", "--report", "r.json", "--save", "c.tar", "--state-dir", "sub", "--image", "image.tar", "true")
	if err != nil {
		t.Fatal(err)
	}
	if s.Memory != 512<<20 || s.Timeout != 90*time.Second || s.Seed != 1<<64-1 || s.Pids != 7 || s.CPUs != 8 || len(s.Allow) != 1 ||
		s.Report != dir+"/r.json" || s.Save != dir+"/c.tar" || s.StateDir != dir+"/sub" || s.Image != "tar:"+dir+"/image.tar" {
		t.Errorf("%+v", s)
	}
	for text, want := range map[string]int64{"1": 1, "2k": 2048, "3KiB": 3072, "4MB": 4 << 20, "2G": 2 << 30, "1T": 1 << 40} {
		if got, err := ParseSize("--memory", text); got != want || err != nil {
			t.Errorf("%s = %d, %v; want %d", text, got, err, want)
		}
	}
}

// TestRefused has a line for every value that must not pass, with a part of
// its message and of its hint.
func TestRefused(t *testing.T) {
	dir := tree(t)
	for _, c := range []struct{ args, message, advice string }{
		{"", "no command given", "dettrace run -- make"},
		{"--image nowhere true", "image nowhere: no such file", "host, a directory, a tar"},
		{"--image dir:file true", "image file: not a directory", "a directory"},
		{"--image tar:sub true", "neither a directory nor a tar", "a tar"},
		{"--image /dev/null true", "neither a directory nor a tar", "a tar"},
		{"-i nowhere true", "input nowhere: no such file", "relative paths start at the current directory"},
		{"-i odd:name true", "input odd: no such file", "-i 'odd:name:'"},
		{"-i :x true", "no host path", "-i HOST:GUEST"},
		{"-i /dev/null true", "neither a file nor a directory", "--stdin"},
		{"-i file:/x -i sub:/x true", "two inputs at /x", "-i sub:/build/sub-2"},
		{"-i file:/x -i sub:/y/../x true", "two inputs at /x", "/build/sub-2"},
		{"-i sub:/ true", "guest's root", "/build/NAME"},
		{"-i sub:/proc/x true", "/proc is made by the container", "/build/NAME"},
		{"--input-mtime now true", "neither epoch nor keep", "epoch"},
		{"-o file true", "file: already exists", "--force"},
		{"-o link true", "link: already exists", "--force"},
		{"-o x:file/y true", "is not a directory", ""},
		{"-o x*:file true", "not a directory", "matches go into"},
		{"-o . true", "the working tree itself", "--write-back"},
		{"-o / true", "whole root", "--save"},
		{"-o x[ true", "broken glob", "]"},
		{"-o a/x:o -o b/x:o true", "two outputs at", "name another host path"},
		{"--save file true", "already exists", "--force"},
		{"--save sub --force true", "is a directory", ""},
		{"--force -o x:. true", "would replace the directory", "proj/x"},
		{"--force -o x:.. true", "would replace the directory", "name the place in it"},
		{"--force -o x:../proj/ true", "would replace the directory", "proj/x"},
		{"--force -i ../lib/inner -o x:../lib true", "would replace the directory", "lib/x"},
		{"-e =x true", "no name of a variable", "NAME=VALUE"},
		{"-e NOT_SET_HERE true", "not set on the host", "NOT_SET_HERE=VALUE"},
		{"-e SOURCE_DATE_EPOCH=x true", "not a number of seconds", "--epoch"},
		{"--epoch yesterday true", "not a time", "@1767225600"},
		{"--epoch @-1 true", "not a number of seconds", "now"},
		{"--epoch 1950-01-01 true", "not between 1970", "now"},
		{"--epoch @99999999999 true", "not between 1970", "now"},
		{"--seed x true", "--seed \"x\"", "--seed 7"},
		{"--cpus 0 true", "not between 1 and 1024", "told"},
		{"--pids -1 true", "not between", ""},
		{"--memory 5X true", "not a size", "512M"},
		{"--memory 0 true", "not a size", "512M"},
		{"--memory 99999999T true", "not a size", "512M"},
		{"--timeout 0 true", "not a time", "1h30m"},
		{"--timeout -5s true", "not a time", "1h30m"},
		{"--hostname a_b true", "not a host name", "letters"},
		{"--user a:b:c true", "neither a number nor a name", "1000:1000"},
		{"--user 4294967295 true", "neither a number nor a name", "UID"},
		{"--user 1: true", "neither a number nor a name", "UID"},
		{"--allow tiem true", "no such door", "did you mean time? the doors are: aslr, machine, network"},
		{"--allow machine --cpus 4 true", "the number is the host's", "leave one of them out"},
		{"--allow time --schedule-seed 1 true", "no schedule can be kept", "leave out"},
		{"--allow x true", "no such door", "the doors are: aslr, machine, network"},
		{"--state-dir nowhere true", "no such file", "room"},
		{"--state-dir file true", "not a directory", ""},
		{"--report no/where true", "no such directory", "make it first"},
	} {
		_, err := resolve(t, dir, strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.message) || !strings.Contains(hint.Of(err), c.advice) {
			t.Errorf("%s: %v (hint: %s)", c.args, err, hint.Of(err))
			continue
		}
		if text := err.Error(); strings.HasSuffix(text, ".") || text[0] >= 'A' && text[0] <= 'Z' {
			t.Errorf("%s: message %q does not begin lower case or ends in a full stop", c.args, text)
		}
	}
	_, err := resolve(t, dir, "--image", "nowhere", "true")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("errno lost: %v", err)
	}
}

// What sethostname(2) and RFC 1123 accept.
func TestCheckHostname(t *testing.T) {
	for _, name := range []string{"a", "A9", "build-1.example.org", "x--y", "1.2", strings.Repeat("a", 64)} {
		if err := checkHostname(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a-.b", "a_b", "a b", "é", "a\n", strings.Repeat("a", 65)} {
		if checkHostname(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
