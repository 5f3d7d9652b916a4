package procfs

import (
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"dettrace/internal/machine"
	"dettrace/internal/schedattr"
)

func testNormaliser() *Normaliser {
	return NewNormaliser(machine.Default(1767225600e9), func(dev, ino uint64) (uint64, uint64) {
		return 0x801, ino%1000 + 1
	})
}

func TestStat(t *testing.T) {
	const tail = " R 8917 8917 2706 0 -1 4194304 101 7 8 9 10 11 12 13 20 0 1 5 523593 3133440 349 18446744073709551615 94883321716736 94883321736617 140730701743040 77 78 1 2 3 4 79 0 0 17 1 2 0 5 6 7 94883321752624 94883321754240 94884173389824 140730701748911 140730701748949 140730701748949 140730701750251 0\n"
	const want = " S 8917 8917 2706 0 -1 0 0 0 0 0 123 0 0 0 -8 3 1 0 10200 3133440 256 18446744073709551615 94883321716736 94883321736617 140730701743040 0 0 1 2 3 4 0 0 0 17 0 7 2 0 0 0 94883321752624 94883321754240 94884173389824 140730701748911 140730701748949 140730701748949 140730701750251 0\n"
	n := testNormaliser()
	f := Facts{Start: n.m.BootTime + 102e9, CPUTime: 1_239_999_999, Attr: schedattr.Attr{Policy: schedattr.RR, Priority: 7, Nice: 3, CPUs: schedattr.FirstCPUs(1)}}
	for _, comm := range []string{"cat", "a b", "a) R 1 (b", "x\ny", ")", ""} {
		out, ok := n.File("8923/stat", []byte("8923 ("+comm+")"+tail), f)
		if w := "8923 (" + comm + ")" + want; !ok || string(out) != w {
			t.Errorf("comm %q:\n got %s\nwant %s", comm, out, w)
		}
	}
	// A newer kernel's field is dropped, an older line refused.
	if out, ok := n.File("1/stat", []byte("1 (memfd:init)"+strings.TrimSuffix(tail, "\n")+" 99\n"), Facts{Start: f.Start, CPUTime: f.CPUTime, Comm: "init", Attr: f.Attr}); !ok || string(out) != "1 (init)"+want {
		t.Errorf("got %q %v", out, ok)
	}
	for _, bad := range []string{"", "(", "1 ()", "x (y) R 1", ") ("} {
		if _, ok := n.File("1/stat", []byte(bad), f); ok {
			t.Errorf("%q was taken for a stat line", bad)
		}
	}
}

// TestStatusHidesHost has two samples of one process that differ in all that
// the host decides.
func TestStatusHidesHost(t *testing.T) {
	sample := func(state, rss, seccomp, cpus, extra, caps string) string {
		return "Name:\tcat\nUmask:\t0022\nState:\t" + state + "\nTgid:\t7\nNgid:\t0\nPid:\t7\nPPid:\t2\nTracerPid:\t" + rss +
			"\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t256\nGroups:\t \nNStgid:\t7\nVmPeak:\t    " + rss + " kB\nVmSize:\t    3060 kB\nVmRSS:\t    " + rss +
			" kB\nVmHWM:\t  " + rss + " kB\nThreads:\t1\nSigQ:\t0/" + rss + "\nCapBnd:\t" + caps + "\nNoNewPrivs:\t1\nSeccomp:\t" + seccomp +
			"\n" + extra + "Cpus_allowed:\t" + cpus + "\nvoluntary_ctxt_switches:\t" + rss + "\n"
	}
	n := testNormaliser()
	f := Facts{Attr: schedattr.Attr{CPUs: schedattr.FirstCPUs(1)}}
	a, ok1 := n.File("7/status", []byte(sample("t (tracing stop)", "1632", "2", "3", "New_line:\t5\nSeccomp_filters:\t1\n", "000001ffffffffff")), f)
	b, ok2 := n.File("7/status", []byte(sample("S (sleeping)", "1999", "0", "f", "", "00000fffffffffff")), f)
	if !ok1 || !ok2 || string(a) != string(b) {
		t.Fatalf("samples differ:\n%s\n%s", a, b)
	}
	for _, want := range []string{"State:\tS (sleeping)\n", "TracerPid:\t0\n", "Seccomp:\t0\n", "VmRSS:\t    1024 kB\n", "Cpus_allowed_list:\t0\n", "Uid:\t0\t0\t0\t0\n"} {
		if !strings.Contains(string(a), want) {
			t.Errorf("no %q in\n%s", want, a)
		}
	}
	c, _ := n.File("7/status", []byte(sample("S", "1", "0", "1", "", "0")), Facts{State: 'Z', Groups: &[]uint32{5, 6}})
	for _, want := range []string{"State:\tZ (zombie)\n", "Groups:\t5 6 \n"} {
		if !strings.Contains(string(c), want) {
			t.Errorf("no %q in\n%s", want, c)
		}
	}
}

func TestMaps(t *testing.T) {
	n := testNormaliser()
	const raw = "560abc3ef000-560abc3f2000 r--p 00000000 fe:00 247741                     /usr/bin/sed with  blanks\n" +
		"7ffe42d0c000-7ffe42d0e000 rw-p 00000000 00:00 0 \n" +
		"ffffffffff600000-ffffffffff601000 r-xp 00000000 00:00 0                  [vsyscall]\n"
	const want = "560abc3ef000-560abc3f2000 r--p 00000000 08:01 742                        /usr/bin/sed with  blanks\n" +
		"7ffe42d0c000-7ffe42d0e000 rw-p 00000000 00:00 0 \n" +
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
	if out, ok := n.File("7/maps", []byte(raw), Facts{}); !ok || string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	smaps := raw[:strings.IndexByte(raw, '\n')+1] + "Size:                 12 kB\nRss:                  12 kB\nNewCounter: 4 kB\nVmFlags: rd mr mw me sd \n"
	out, ok := n.File("7/task/8/smaps", []byte(smaps), Facts{})
	if s := string(out); !ok || strings.Contains(s, "New") || !strings.Contains(s, "Rss:                   0 kB\n") ||
		!strings.Contains(s, "Size:                 12 kB\n") || !strings.HasSuffix(s, "VmFlags: rd mr mw me \n") {
		t.Errorf("smaps: %v\n%s", ok, out)
	}
	if _, ok := n.File("7/maps", []byte("nonsense\n"), Facts{}); ok {
		t.Error("nonsense was taken for maps")
	}
}

func TestFDInfo(t *testing.T) {
	n := testNormaliser()
	tests := []struct{ raw, want string }{
		{"pos:\t5\nflags:\t0100000\nmnt_id:\t77\nino:\t4711\n", "pos:\t5\nflags:\t0100000\nmnt_id:\t1\nino:\t99\n"},
		{"eventfd-count:                3\neventfd-id: 12\neventfd-semaphore: 0\n", "eventfd-count:                3\n"},
		{"pos:\t0\ntfd:       12 events:       19\ntfd:        5 events:       1d\nflags:\t02\n", "pos:\t0\nflags:\t02\ntfd:        5 events:       1d\ntfd:       12 events:       19\n"},
		{"tfd:        5 events:       19 data:                5  pos:0 ino:3e8 sdev:fe00001\n", "tfd:        5 events:       19 data:                5  pos:0 ino:1 sdev:800001\n"},
		{"inotify wd:1 ino:3e8 sdev:800001 mask:800afce ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:27261900\n", "inotify wd:1 ino:1 sdev:800001 mask:800afce ignored_mask:0 \n"},
		{"lock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF\n", "lock:\t1: FLOCK  ADVISORY  WRITE 359 08:01:692 0 EOF\n"},
		{"clockid: 0\nticks: 9\nsettime flags: 01\nit_value: (0, 49406829)\nit_interval: (1, 0)\n", "clockid: 0\nticks: 0\nsettime flags: 01\nit_value: (0, 0)\nit_interval: (0, 0)\n"},
		{"drm-driver: host\n", ""},
	}
	for _, tt := range tests {
		out, ok := n.File("7/fdinfo/3", []byte(tt.raw), Facts{FDIno: 99, FDDev: TreeDev})
		if want := strings.Replace(tt.want, "ignored_mask:0 \n", "ignored_mask:0\n", 1); !ok || string(out) != want {
			t.Errorf("%q:\n got %q\nwant %q", tt.raw, out, want)
		}
	}
}

// TestUnknownIsRefused: what no rule names must not be read.
func TestUnknownIsRefused(t *testing.T) {
	n := testNormaliser()
	for _, rel := range []string{"", "kcore", "kallsyms", "7", "7/pagemap", "7/attr/current", "7/seccomp_cache", "7/net", "7/net/../stat",
		"7/net/nf_conntrack", "7/task/8", "7/task/x/stat", "7/fdinfo/x", "7/map_files/1-2", "x/stat", "sys/kernel/random/uuid", "7/net/../../sysctl"} {
		if _, ok := n.File(rel, []byte("1"), Facts{}); ok {
			t.Errorf("%q was read", rel)
		}
	}
}

func TestRandomUUID(t *testing.T) {
	n := testNormaliser()
	n.Random = func(b []byte) {
		for i := range b {
			b[i] = 0xff
		}
	}
	out, ok := n.File("sys/kernel/random/uuid", nil, Facts{})
	if want := "ffffffff-ffff-4fff-bfff-ffffffffffff\n"; !ok || string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestReadlink(t *testing.T) {
	inode := func(kind string, ino uint64) uint64 { return ino + uint64(len(kind)) }
	for in, want := range map[string]string{
		"pipe:[4711]": "pipe:[4715]", "socket:[1]": "socket:[7]", "anon_inode:[eventfd]": "anon_inode:[eventfd]",
		"/memfd:x (deleted)": "/memfd:x (deleted)", "net:[4026532999]": "net:[4026531840]", "mnt:[1]": "mnt:[4026531841]",
		"/memfd:init (deleted)": "/sbin/init", "/tmp/pipe:[1]": "/tmp/pipe:[1]", "": "", "pipe:[x]": "pipe:[x]",
	} {
		if got := Readlink(in, inode); got != want {
			t.Errorf("Readlink(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDirent(t *testing.T) {
	n := testNormaliser()
	for _, tt := range []struct {
		dir, name string
		want      bool
	}{
		{"", "1", true}, {"", "self", true}, {"", "cpuinfo", true}, {"", "newthing", false}, {".", "uptime", true},
		{"7", "stat", true}, {"7", "task", true}, {"7", "attr", false}, {"7", "pagemap", false}, {"7", "fd", true},
		{"7/task", "8", true}, {"7/task/8", "stat", true}, {"7/task/8", "task", false}, {"7/fd", "3", true},
		{"7/ns", "net", true}, {"7/ns", "new", false}, {"7/net", "tcp", true}, {"7/net", "nf_conntrack", false}, {"7/attr", "current", false},
	} {
		if got := n.Dirent(tt.dir, tt.name); got != tt.want {
			t.Errorf("Dirent(%q, %q) = %v", tt.dir, tt.name, got)
		}
	}
}

// TestOwnProcess reads the files of this very process: the kernel that runs
// the test must have no form of text that the rules do not take.
func TestOwnProcess(t *testing.T) {
	n := testNormaliser()
	pid := strconv.Itoa(os.Getpid())
	for _, r := range processRules() {
		for _, rel := range []string{pid + "/" + r.name, pid + "/task/" + pid + "/" + r.name} {
			if r.name == "mem" || r.name == "clear_refs" {
				continue
			}
			raw, err := os.ReadFile("/proc/" + rel)
			if err != nil {
				continue // not in this kernel, or not for us
			}
			if _, ok := n.File(rel, raw, Facts{}); !ok {
				t.Errorf("%s refused:\n%.300q", rel, raw)
			}
		}
	}
	es, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		raw, err := os.ReadFile(path.Join("/proc/self/fdinfo", e.Name()))
		if err != nil {
			continue
		}
		if out, ok := n.File(pid+"/fdinfo/"+e.Name(), raw, Facts{}); !ok || len(out) == 0 {
			t.Errorf("fdinfo refused: %q", raw)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, r := range processRules() {
		raw, _ := os.ReadFile("/proc/self/" + r.name)
		f.Add(r.name, raw)
	}
	f.Add("fdinfo/3", []byte("tfd: 5 ino:3 sdev:f\nlock:\t1: A 0 1:2:3 0\nino:\tx\n"))
	f.Add("stat", []byte("1 (a) b) S 1 2"))
	n := testNormaliser()
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		a, ok := n.File("7/"+name, raw, Facts{})
		b, _ := n.File("7/"+name, raw, Facts{})
		if string(a) != string(b) {
			t.Error("not a function of its arguments")
		}
		if !ok && a != nil {
			t.Error("refused, but with text")
		}
	})
}

func TestCPURanges(t *testing.T) {
	for _, c := range []struct {
		cpus int
		set  uint64
		want string
	}{{1, 1, "0"}, {4, 0xf, "0-3"}, {8, 0xb6, "1-2,4-5,7"}, {2, 0xf, "0-1"}, {3, 5, "0,2"}, {4, 0, ""}} {
		if got := cpuRanges(c.cpus, func(i int) bool { return c.set>>i&1 != 0 }); got != c.want {
			t.Errorf("%x of %d: %q, want %q", c.set, c.cpus, got, c.want)
		}
	}
}
