package guest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Servers and their clients in one container. Each program runs three times,
// twice with a log: output and log must repeat.
func TestServe(t *testing.T) {
	for _, tt := range []struct {
		name  string
		needs []string // programs of the host
		cmd   []string
		want  []string // lines of the output
	}{
		{"serve_http.py", []string{"python3"}, []string{"python3", "/s/serve_http.py"}, []string{"7 3000000", "1024"}},
		{"serve_asyncio.py", []string{"python3"}, []string{"python3", "/s/serve_asyncio.py"}, []string{
			"('127.0.0.1', 32769)", `b'echo 19\n'`, "(b'HELLO', ('127.0.0.1', 9999))", "[Errno 111] Connect call failed ('127.0.0.1', 1)"}},
		{"nethttp", []string{"go"}, []string{"/s/nethttp"}, []string{
			"dial tcp 192.0.2.1:80: connect: network is unreachable", "[127.0.0.1/8 ::1/128] <nil>", "hi [::1]:32779 <nil>", "ping <nil>"}},
		{"nginx.sh", []string{"nginx", "curl"}, []string{"bash", "/s/nginx.sh"}, []string{
			"daef482d6c698625ab13d987d14e8781  /tmp/ng/o8", "HTTP/1.1 200 OK\r", "ends"}},
		{"redis.sh", []string{"redis-server"}, []string{"bash", "/s/redis.sh"}, []string{"PONG"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, p := range tt.needs {
				if _, err := exec.LookPath(p); err != nil {
					t.Skip(err)
				}
			}
			dir := t.TempDir()
			if src := filepath.Join("serve", tt.name); tt.needs[0] == "go" {
				cmd := exec.Command("go", "build", "-o", filepath.Join(dir, tt.name), "./"+src)
				cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("go build: %v\n%s", err, out)
				}
			} else if b, err := os.ReadFile(src); err != nil {
				t.Fatal(err)
			} else if err := os.WriteFile(filepath.Join(dir, tt.name), b, 0o644); err != nil {
				t.Fatal(err)
			}
			var outs, logs [][]byte
			for i := range 3 {
				log := filepath.Join(t.TempDir(), "log")
				args := append([]string{"-i", dir + ":/s", "--"}, tt.cmd...)
				if i > 0 {
					args = append([]string{"--log", log}, args...)
				}
				outs = append(outs, []byte(sigLab.OK(t, args...).Stdout))
				if i > 0 {
					b, err := os.ReadFile(log)
					if err != nil {
						t.Fatal(err)
					}
					logs = append(logs, b)
				}
			}
			if !bytes.Equal(outs[0], outs[1]) || !bytes.Equal(outs[1], outs[2]) {
				t.Errorf("outputs differ:\n%s\n%s\n%s", outs[0], outs[1], outs[2])
			}
			if !bytes.Equal(logs[0], logs[1]) {
				t.Errorf("logs differ: %s", firstDifference(logs[0], logs[1]))
			}
			for _, w := range tt.want {
				if !strings.Contains("\n"+string(outs[0]), "\n"+w+"\n") {
					t.Errorf("no line %q in\n%s", w, outs[0])
				}
			}
		})
	}
}

// firstDifference shows the first lines that differ.
func firstDifference(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + "\nand " + y[i]
		}
	}
	return "one is longer"
}
