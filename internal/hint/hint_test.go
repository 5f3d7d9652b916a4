package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestWithKeepsTheChain(t *testing.T) {
	err := fmt.Errorf("outer: %w", With(fs.ErrNotExist, "make it"))
	if !errors.Is(err, fs.ErrNotExist) || Of(err) != "make it" {
		t.Errorf("Is=%v Of=%q", errors.Is(err, fs.ErrNotExist), Of(err))
	}
	if With(nil, "x") != nil {
		t.Error("With(nil) is not nil")
	}
	if Of(fs.ErrNotExist) != "" {
		t.Error("advice from nowhere")
	}
}

func TestNearest(t *testing.T) {
	flags := []string{"image", "input", "input-mtime", "output", "epoch", "env", "env-host", "cpus", "log"}
	for word, want := range map[string]string{
		"imgae": "image", "ouput": "output", "epcoh": "epoch", "cpu": "cpus", "inputs": "input",
		"frobnicate": "", "x": "", "foo": "", "gnv": "env",
	} {
		if got := Nearest(word, flags); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
