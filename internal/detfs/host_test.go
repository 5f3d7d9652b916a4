package detfs

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestHostImage runs commands with the host's root as image.
func TestHostImage(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	c, root := mounted(t, Config{
		Mounts: []Mount{{Guest: "/", Ref: "host", Label: "image"}},
		Dirs:   []Dir{{Path: "/tmp", Mode: 0o1777, Fresh: true}},
	})
	script := os.Getenv("DETFS_SCRIPT") // for experiments
	if script == "" {
		script = "cd /tmp && echo hello >a && ln a b && cat b && ls /usr >list && rm a && mkdir d && mv b d/ && ls -R"
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin", "HOME=/tmp"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if os.Getenv("DETFS_SCRIPT") == "" && !strings.Contains(string(out), "hello\n") {
		t.Errorf("output:\n%s", out)
	}
	must(t, c.Err())
	sum, err := c.Finish(true)
	must(t, err)
	t.Logf("%s\n%+v", out, sum)
	if sum.Layers[0].Changed != "" {
		t.Errorf("layer: %+v", sum.Layers[0])
	}
}
