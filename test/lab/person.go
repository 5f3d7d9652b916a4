package lab

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Person sits at a terminal of the host in which a command runs. It waits for
// what it sees, never for a time.
type Person struct {
	t      testing.TB
	cmd    *exec.Cmd
	fd     int // of master
	master *os.File
	slave  *os.File
	before unix.Termios
	all    bytes.Buffer // everything that was seen
	seen   int          // how much of it Expect has gone over
	limit  *time.Timer
}

// Sit starts c in a terminal of its own. Run, Start and the like must not be called.
func Sit(t testing.TB, c *exec.Cmd) *Person {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	must(err)
	must(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	peer, err := openPeer(fd)
	must(err)
	p := &Person{t: t, cmd: c, fd: fd, master: os.NewFile(uintptr(fd), "master"), slave: os.NewFile(uintptr(peer), "slave")}
	p.before = p.Mode()
	c.Stdin, c.Stdout, c.Stderr = p.slave, p.slave, p.slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(c.Start())
	p.limit = time.AfterFunc(Limit, func() {
		_ = c.Process.Kill()
		_ = p.master.SetDeadline(time.Unix(1, 0)) // who reads fails
	})
	t.Cleanup(func() {
		p.limit.Stop()
		_ = c.Process.Kill()
		_ = p.slave.Close()
		_ = p.master.Close()
	})
	return p
}

func openPeer(master int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// Mode is that of the terminal.
func (p *Person) Mode() unix.Termios {
	p.t.Helper()
	m, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *m
}

// Type types keys.
func (p *Person) Type(keys string) {
	p.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// Expect waits until text is seen, behind what was expected before.
func (p *Person) Expect(text string) {
	p.t.Helper()
	buf := make([]byte, 4096)
	for {
		rest := p.all.String()[p.seen:]
		if i := strings.Index(rest, text); i >= 0 {
			p.seen += i + len(text)
			return
		}
		n, err := p.master.Read(buf)
		p.all.Write(buf[:n])
		if err != nil {
			p.t.Fatalf("%q was not seen: %v\n%q", text, err, rest)
		}
	}
}

// End waits for the command and gives its exit status and everything that was seen.
func (p *Person) End() (status int, seen string) {
	p.t.Helper()
	// Read on, or the command may wait for room: the slave is held open here, so
	// the end is that of the process.
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	buf := make([]byte, 4096)
	for ended := false; ; {
		ms := 20
		if ended {
			ms = 0
		}
		n, err := unix.Poll(fds, ms)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			p.t.Fatal(err)
		case n > 0:
			n, err := unix.Read(p.fd, buf)
			p.all.Write(buf[:max(n, 0)])
			if err != nil && err != unix.EAGAIN && err != unix.EINTR {
				p.t.Fatal(err)
			}
			continue
		case ended:
			return p.cmd.ProcessState.ExitCode(), p.all.String()
		}
		select {
		case err := <-done:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				p.t.Fatal(err)
			}
			ended = true
		default:
		}
	}
}

// Restored reports whether the terminal has the mode again that it had before.
func (p *Person) Restored() bool { return p.Mode() == p.before }

// Raw reports whether the terminal passes every key on.
func (p *Person) Raw() bool { return p.Mode().Lflag&(unix.ICANON|unix.ISIG|unix.ECHO) == 0 }

// Signal sends one to the command.
func (p *Person) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
