package syscalls

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// linuxNumbers reads the SYS_ constants of x/sys/unix from its source.
func linuxNumbers(t *testing.T) map[int]string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix").Output()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "zsysnum_linux_amd64.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := map[int]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Names) != 1 || !strings.HasPrefix(v.Names[0].Name, "SYS_") {
			return true
		}
		nr, err := strconv.Atoi(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		m[nr] = strings.ToLower(strings.TrimPrefix(v.Names[0].Name, "SYS_"))
		return true
	})
	if len(m) < 380 {
		t.Fatalf("only %d constants found", len(m))
	}
	return m
}

func TestTableCoversLinux(t *testing.T) {
	known := linuxNumbers(t)
	rows := Table()
	for nr, name := range known {
		if nr > Newest {
			t.Errorf("%s (%d) is newer than the table: add a row and move Newest", name, nr)
		}
	}
	if len(rows) != Newest+1 {
		t.Errorf("%d rows, want %d", len(rows), Newest+1)
	}
	for i, r := range rows {
		if r.Nr != i {
			t.Fatalf("row %d is %s with number %d: a number is missing or there twice", i, r.Name, r.Nr)
		}
		want, assigned := known[i]
		if !assigned {
			want = unassignedName(i)
		}
		if r.Name != want {
			t.Errorf("row %d is called %s, Linux says %s", i, r.Name, want)
		}
		if r.Assigned() != assigned {
			t.Errorf("%s: Assigned() = %v", r.Name, r.Assigned())
		}
	}
}

func TestRowsAreConsistent(t *testing.T) {
	for _, r := range Table() {
		if r.Note == "" || !strings.HasSuffix(r.Note, ".") && !strings.HasSuffix(r.Note, ").") {
			t.Errorf("%s: note %q is not a sentence", r.Name, r.Note)
		}
		if strings.Contains(r.Note, "|") {
			t.Errorf("%s: a bar in the note breaks the table of the docs", r.Name)
		}
		stops := r.Filter.how() != "never"
		switch {
		case r.Class == Refuse && (r.Errno == 0 || r.Filter.AlwaysAllows()):
			t.Errorf("%s: refused, but errno %d, stops %v", r.Name, r.Errno, stops)
		case r.Class != Native && r.Class != Refuse && !stops:
			t.Errorf("%s: class %v never stops, so the supervisor cannot act", r.Name, r.Class)
		case r.Class == Schedule && len(r.Filter.Rules) == 0 && !r.Event:
			t.Errorf("%s: scheduled, but no event", r.Name)
		case r.Event && !stops:
			t.Errorf("%s: an event that nobody sees", r.Name)
		case r.Errno != 0 && unix.ErrnoName(r.Errno) == "":
			t.Errorf("%s: errno %d has no name", r.Name, r.Errno)
		}
	}
}

func TestFilters(t *testing.T) {
	const fork = unix.CLONE_CHILD_SETTID | unix.CLONE_CHILD_CLEARTID | uint64(unix.SIGCHLD)
	tests := []struct {
		name string
		args [6]uint64
		want Action
	}{
		{"read", [6]uint64{}, Trace},
		{"getpid", [6]uint64{}, Allow},
		{"rt_sigaction", [6]uint64{uint64(unix.SIGSEGV)}, Trace},
		{"rt_sigaction", [6]uint64{0xdead00000000 | uint64(unix.SIGSEGV)}, Trace}, // int: upper half ignored
		{"rt_sigaction", [6]uint64{uint64(unix.SIGCHLD)}, Allow},
		{"fcntl", [6]uint64{3, unix.F_GETFD}, Allow},
		{"fcntl", [6]uint64{3, unix.F_SETFL, unix.O_NONBLOCK}, Allow},
		{"fcntl", [6]uint64{3, unix.F_SETFL, unix.O_ASYNC}, Trace},
		{"fcntl", [6]uint64{3, unix.F_SETLKW}, Trace},
		{"fcntl", [6]uint64{3, unix.F_SETOWN}, Trace},
		{"clone", [6]uint64{fork}, Look},
		{"clone", [6]uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, Look},
		{"clone", [6]uint64{fork | unix.CLONE_VM}, Trace},
		{"clone", [6]uint64{fork | unix.CLONE_UNTRACED}, Trace},
		{"clone", [6]uint64{fork | unix.CLONE_PTRACE}, Trace},
		{"clone", [6]uint64{fork | unix.CLONE_NEWUSER}, Trace},
		{"clone", [6]uint64{fork | unix.CLONE_PARENT}, Trace},
		{"clone", [6]uint64{fork | 1<<40}, Trace},
		{"clone", [6]uint64{0}, Trace},
		{"unshare", [6]uint64{unix.CLONE_FILES}, Allow},
		{"unshare", [6]uint64{unix.CLONE_NEWUSER | unix.CLONE_FILES}, Trace},
		{"mmap", [6]uint64{0, 4096, 3, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS}, Allow},
		{"mmap", [6]uint64{0, 4096, 3, unix.MAP_SHARED}, Trace},
		{"mmap", [6]uint64{0, 4096, 3, unix.MAP_SHARED_VALIDATE}, Trace},
		{"mmap", [6]uint64{0, 1 << 32, 3, unix.MAP_PRIVATE}, Trace},
		{"mmap", [6]uint64{0, 4096, 3, unix.MAP_PRIVATE | unix.MAP_HUGETLB}, Trace},
		{"mmap", [6]uint64{0x180000, 4096, 3, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_FIXED}, Trace},
		{"mmap", [6]uint64{0x200000, 4096, 3, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_FIXED}, Allow},
		{"mremap", [6]uint64{2 << 20, 4096, 1<<32 - 1}, Allow},
		{"mremap", [6]uint64{2 << 20, 4096, 1 << 32}, Trace},
		{"mremap", [6]uint64{4096, 4096, 4096}, Trace},
		{"mremap", [6]uint64{2 << 20, 4096, 4096, mremapFixed, 4096}, Trace},
		{"munmap", [6]uint64{2 << 20, 4096}, Allow},
		{"munmap", [6]uint64{2<<20 - 4096, 8192}, Trace},
		{"madvise", [6]uint64{0, 4096, unix.MADV_DONTNEED}, Allow},
		{"madvise", [6]uint64{0, 4096, unix.MADV_FREE}, Trace},
		{"prctl", [6]uint64{unix.PR_SET_NAME}, Allow},
		{"prctl", [6]uint64{unix.PR_SET_TSC}, Trace},
		{"arch_prctl", [6]uint64{0x1002}, Allow},
		{"arch_prctl", [6]uint64{0x1012}, Trace}, // ARCH_SET_CPUID
		{"ioctl", [6]uint64{0, unix.TCGETS}, Allow},
		{"ioctl", [6]uint64{0, unix.TIOCSTI}, Trace},
		{"prlimit64", [6]uint64{0, unix.RLIMIT_STACK, 0, 1}, Allow},
		{"prlimit64", [6]uint64{0, unix.RLIMIT_CPU, 0, 1}, Trace},
		{"prlimit64", [6]uint64{0, unix.RLIMIT_NPROC, 0, 1}, Trace},
		{"getrlimit", [6]uint64{unix.RLIMIT_NPROC, 1}, Trace},
		{"getrlimit", [6]uint64{unix.RLIMIT_NOFILE, 1}, Allow},
		{"prlimit64", [6]uint64{0, unix.RLIMIT_STACK, 1, 0}, Trace},
		{"prlimit64", [6]uint64{7, unix.RLIMIT_STACK, 0, 1}, Trace},
		{"socket", [6]uint64{unix.AF_UNIX}, Allow},
		{"socket", [6]uint64{unix.AF_INET}, Trace},
		{"pkey_mprotect", [6]uint64{0, 0, 0, 0xffffffff}, Allow},
		{"pkey_mprotect", [6]uint64{0, 0, 0, 1}, Trace},
		{"getpgid", [6]uint64{0}, Allow},
		{"getpgid", [6]uint64{1}, Trace},
	}
	for _, tt := range tests {
		r, ok := ByName(tt.name)
		if !ok {
			t.Fatalf("no row %s", tt.name)
		}
		if got := r.Filter.Decide(tt.args); got != tt.want {
			t.Errorf("%s%#x: action %d, want %d", tt.name, tt.args, got, tt.want)
		}
	}
	if _, ok := ByName("frobnicate"); ok {
		t.Error("ByName knows a call that does not exist")
	}
}
