package buildfile

import (
	"slices"
	"strings"
	"testing"

	"dettrace/internal/hint"
)

func TestParse(t *testing.T) {
	builds, err := Parse([]byte(`
image = "host"
epoch = "2025-01-01"
outputs = ["x"]
[environment]
A = "1"
B = "1"

[build.z]
command = ["true", "-x"]
[build.a]
inputs = ["src", "build:z:/opt/z", "build:z"]
steps = ["one", "two"]
epoch = "2024-01-01"
seed = 7
outputs = []
[build.a.environment]
B = "2"
HOME = "/h"
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(builds) != 2 || builds[0].Name != "z" || builds[1].Name != "a" {
		t.Fatalf("order: %+v", builds)
	}
	z, a := builds[0], builds[1]
	if !slices.Equal(z.Command, []string{"true", "-x"}) || z.Flags.Epoch != "2025-01-01" || !slices.Equal(z.Flags.Env, []string{"HOME=" + Home, "A=1", "B=1"}) ||
		!slices.Equal(z.Flags.Outputs, []string{"x"}) || !z.Flags.NoDefaultInput || z.Flags.User != "0:0" {
		t.Errorf("%+v", z)
	}
	if !slices.Equal(a.Command, []string{"/bin/sh", "-e", "-c", "one\ntwo"}) || a.Flags.Epoch != "2024-01-01" || a.Flags.Seed != "7" || len(a.Flags.Outputs) != 0 ||
		!slices.Equal(a.Flags.Env, []string{"A=1", "B=2", "HOME=/h"}) || !slices.Equal(a.Flags.Inputs, []string{"src"}) ||
		!slices.Equal(a.Needs, []Need{{"z", "/opt/z"}, {"z", ""}}) {
		t.Errorf("%+v", a)
	}
	only, err := Select(builds, []string{"z"})
	if err != nil || len(only) != 1 {
		t.Errorf("%+v, %v", only, err)
	}
	if only, err = Select(builds, []string{"a"}); err != nil || len(only) != 2 || only[0].Name != "z" {
		t.Errorf("%+v, %v", only, err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, message, advice string }{
		{"command = [\"x\"]", "no image", "host"},
		{"image = \"host\"", "no command", "steps"},
		{"image = \"host\"\ncommand = [\"x\"]\nimag = 1", "line 3: unknown key imag", "did you mean image?"},
		{"image = \"host\"\n[build.a]\ncommand = [\"x\"]\noutput = [\"x\"]", "line 4: unknown key build.a.output", "did you mean outputs?"},
		{"image = \"host\"\n[environmnt]\nA = \"1\"", "unknown key environmnt", "did you mean environment?"},
		{"image = 'host'\ncommand = ['x']\nepoch = 'now'", "another time", "2026"},
		{"image = 'host'\nimage = 'host'", "line 2", ""},
		{"image = ", "line 1", ""},
		{"image = 'host'\ncommand = 'make'", "line 2", ""},
		{"image = 'host'\n[build.'a b']\ncommand = ['x']", "not a name", ""},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.message) || !strings.Contains(hint.Of(err), c.advice) {
			t.Errorf("%q: %v (hint: %s)", c.text, err, hint.Of(err))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("image = 'host'\ncommand = ['x']\n[build.a]\ninputs = ['build:b']")
	f.Fuzz(func(t *testing.T, s string) {
		if builds, err := Parse([]byte(s)); err == nil && len(builds) == 0 {
			t.Error("no error and no build")
		}
	})
}
