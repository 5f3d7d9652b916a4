package isolation

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/test/lab"
)

// A file of an input that changes on the host while the guest uses it ends the
// run; one that was never looked at does not matter.
func TestInputChangesDuringTheRun(t *testing.T) {
	for _, tt := range []struct {
		name, file, content string
		status              int
	}{
		{"longer", "used", "another content\n", 125},
		{"as long", "used", "onE\n", 125},
		{"not used", "unused", "another content\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{"used", "unused"} {
				if err := os.WriteFile(filepath.Join(dir, f), []byte("one\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), lab.Limit)
			defer cancel()
			cmd := exec.CommandContext(ctx, l.Kit.Dettrace, "run", "--stdin=-", "--", "sh", "-c", "cat used; read line; cat used")
			cmd.Dir = dir
			var stderr strings.Builder
			cmd.Stderr = &stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(out)
			if line, err := r.ReadString('\n'); line != "one\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.content), 0o644); err != nil {
				t.Fatal(err)
			}
			in.Close()
			_, _ = r.ReadString(0) // to the end
			_ = cmd.Wait()         // the status says it
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status %d, want %d\n%s", got, tt.status, stderr.String())
			}
			if named := strings.Contains(stderr.String(), tt.file) && strings.Contains(stderr.String(), "changed"); named != (tt.status == 125) {
				t.Errorf("stderr: %s", stderr.String())
			}
		})
	}
}
