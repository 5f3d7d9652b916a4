package sandbox

import (
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dettrace/internal/ptrace"
)

// guestCommand runs guest below, in the container.
const guestCommand = "__guest"

// view is what a guest process finds.
type view struct {
	Pid, Ppid, Sid, Uid, Gid int
	Groups                   []int
	Umask                    int
	Host, Domain, Cwd        string
	Root                     []string // entries of /
	NextPid                  int      // the first number given out after pid 2's
	Loopback                 bool
	Allowed                  []string // forbidden things that worked
	DevNull                  string
	Fds                      []string
}

// guest looks around and prints a view.
func guest() int {
	runtime.LockOSThread()
	var v view
	v.Pid, v.Ppid, v.Uid, v.Gid = os.Getpid(), os.Getppid(), os.Getuid(), os.Getgid()
	v.Sid, _ = unix.Getsid(0)
	v.Groups, _ = os.Getgroups()
	v.Umask = unix.Umask(0)
	var u unix.Utsname
	unix.Uname(&u)
	v.Host, v.Domain = unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Domainname[:])
	v.Cwd, _ = os.Getwd()
	v.Root = names("/")
	for _, n := range names("/proc/self/task") {
		var tid int
		fmt.Sscan(n, &tid)
		if tid != 2 && (v.NextPid == 0 || tid < v.NextPid) {
			v.NextPid = tid
		}
	}
	if s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err == nil {
		ifr, _ := unix.NewIfreq("lo")
		v.Loopback = unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, ifr) == nil && ifr.Uint16()&unix.IFF_UP != 0
		unix.Close(s)
	}
	if st, err := os.Stat("/dev/null"); err == nil {
		v.DevNull = st.Mode().Type().String()
	}
	for name, err := range map[string]error{
		"mount tmpfs":       unix.Mount("tmpfs", "/work", "tmpfs", 0, ""),
		"unmount /proc/sys": unix.Unmount("/proc/sys", unix.MNT_DETACH),
		"set host name":     unix.Sethostname([]byte("other")),
		"user namespace":    unix.Unshare(unix.CLONE_NEWUSER),
		"mount namespace":   unix.Unshare(unix.CLONE_NEWNS),
		"trace pid 1":       unix.PtraceSeize(1),
		"kill supervisor":   unix.Kill(os.Getppid()+100000, 0),
		"reboot":            unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF),
		"make a device":     unix.Mknod("dev", unix.S_IFBLK, 0x100),
		"open /proc/1/mem":  open("/proc/1/mem"),
		"open /proc/1/fd/4": open("/proc/1/fd/4"),
		"set clock":         unix.ClockSettime(unix.CLOCK_REALTIME, &unix.Timespec{Sec: 1}),
	} {
		if err == nil {
			v.Allowed = append(v.Allowed, name)
		}
	}
	sort.Strings(v.Allowed)
	if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
		return 1
	}
	return 0
}

func open(name string) error {
	fd, err := unix.Open(name, unix.O_RDWR, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func names(dir string) []string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// exec has pid 2 execute argv, as the supervisor does, and lets it run.
func (s *Sandbox) exec(t *testing.T, argv ...string) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := ptrace.Attach(s.GuestPid); err != nil {
		t.Fatal(err)
	}
	var regs ptrace.Regs
	if err := ptrace.GetRegs(s.GuestPid, &regs); err != nil {
		t.Fatal(err)
	}
	pid, err := ptrace.Inject(s.GuestPid, &regs, s.SyscallAddr, unix.SYS_GETPID)
	if err != nil || pid != 2 {
		t.Fatalf("injected getpid: %d, %v", pid, err)
	}
	var ptrs, text []byte
	base := s.ScratchAddr + 4096
	for _, a := range argv {
		ptrs = binary.LittleEndian.AppendUint64(ptrs, base+uint64(len(text)))
		text = append(text, a+"\x00"...)
	}
	ptrs = append(ptrs, make([]byte, 16)...)
	for addr, b := range map[uint64][]byte{s.ScratchAddr: ptrs, base: text} {
		if _, err := unix.PtracePokeData(s.GuestPid, uintptr(addr), b); err != nil {
			t.Fatal(err)
		}
	}
	regs.Rip, regs.Rax, regs.Orig_rax = s.SyscallAddr, unix.SYS_EXECVE, ^uint64(0)
	regs.Rdi, regs.Rsi, regs.Rdx = base, s.ScratchAddr, s.ScratchAddr+uint64(len(ptrs)-8)
	if err := ptrace.SetRegs(s.GuestPid, &regs); err != nil {
		t.Fatal(err)
	}
	if err := unix.PtraceDetach(s.GuestPid); err != nil {
		t.Fatal(err)
	}
}

// look runs guest in a container on a directory tree.
func look(t *testing.T, cfg Config, lastPid int) view {
	t.Helper()
	tree := testTree(t)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "root/guest"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	return lookIn(t, cfg, lastPid, func(cfg Config) (*Sandbox, error) { return start(cfg, DetectIDs(), tree) })
}

// lookIn runs guest, which the tree has at /guest, and returns its view.
func lookIn(t *testing.T, cfg Config, lastPid int, start func(Config) (*Sandbox, error)) view {
	t.Helper()
	needStatic(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cfg.Stdout = w
	if testing.Verbose() {
		cfg.Stderr = os.Stderr
	}
	s, err := start(cfg)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if lastPid > 0 {
		if err := s.SetLastPid(lastPid); err != nil {
			t.Fatal(err)
		}
	}
	s.exec(t, "/guest", guestCommand)
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var v view
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
	return v
}

// needStatic skips where this binary has an interpreter: the tree has no
// libraries. CGO_ENABLED=0, as the product is built, gives a static one.
func needStatic(t *testing.T) {
	t.Helper()
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Section(".interp") != nil {
		t.Skip("the test binary is dynamic; build with CGO_ENABLED=0")
	}
}

func TestGuest(t *testing.T) {
	v := look(t, testConfig(), 0)
	if v.Pid != 2 || v.Ppid != 1 || v.Sid != 2 || v.NextPid != 3 || v.Uid != 0 || v.Gid != 0 {
		t.Errorf("ids %+v", v)
	}
	if DetectIDs() == IDsAll && len(v.Groups) != 0 {
		t.Errorf("groups %v", v.Groups)
	}
	if v.Host != "box" || v.Domain != "(none)" || v.Cwd != "/work" || v.Umask != 0o022 || !v.Loopback {
		t.Errorf("view %+v", v)
	}
	if got := strings.Join(v.Root, " "); got != "dev guest proc sys work" {
		t.Errorf("root holds %s", got)
	}
	if v.DevNull != "Dc---------" {
		t.Errorf("/dev/null is %s", v.DevNull)
	}
	// A new user namespace is the seccomp filter's to refuse.
	if got := strings.Join(v.Allowed, ", "); got != "user namespace" && got != "" {
		t.Errorf("allowed: %s", got)
	}
}

func TestGuestUser(t *testing.T) {
	if DetectIDs() != IDsAll {
		t.Skip("one id only")
	}
	cfg := testConfig()
	cfg.UID, cfg.GID, cfg.Groups = 1000, 1001, []uint32{4, 1001, 65535}
	v := look(t, cfg, 99)
	if v.Uid != 1000 || v.Gid != 1001 || fmt.Sprint(v.Groups) != "[4 1001 65535]" || v.NextPid != 100 {
		t.Errorf("view %+v", v)
	}
}
