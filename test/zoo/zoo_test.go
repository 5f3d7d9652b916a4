// Package zoo checks that dettrace explain names the cause of each of our small
// unreproducible programs: one for each class of the catalogue.
package zoo

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dettrace/internal/explain"
	"dettrace/test/lab"
)

var theLab lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &theLab)) }

// animal is one program.
type animal struct {
	name   string
	script string   // of sh, in a directory with ours programs in bin
	want   []string // sources of its causes, in order of the list of sources
	what   string   // part of what the first cause's use is; "" = it is set at the start
	who    string   // part of the command line of the process of that use
	first  string   // part of the path of the first write that differs
	place  string   // part of the place that differs
}

func animals() []animal {
	return []animal{
		{"time", `date +%F >out`, []string{"time"}, "clock_gettime", "date", "out", "out"},
		{"copyright year", `year=$(date +%Y); printf 'x\n(c) %s\n' $year >tmp; cat tmp tmp >out; rm tmp`, []string{"time"}, "clock_gettime", "date", "pipe", "out"},
		{"file times in an archive", `echo a >a; tar -cf out.tar a; rm a`, []string{"time", "user_group", "umask"}, "", "", "", "out.tar!a"},
		{"random", `od -An -tx4 -N4 /dev/urandom >out`, []string{"random"}, "random device", "od", "out", "out"},
		{"hash order", `python3 -B -c 'print(" ".join({"a", "b", "c", "d", "e", "f"}))' >out`, []string{"random"}, "getrandom", "python3", "out", "out"},
		{"readdir", `cat $(ls -U bin/d | sed s,^,bin/d/,) >out`, []string{"fileordering"}, "listing", "ls -U", "pipe", "out"},
		{"pid", `true & echo $! >out`, []string{"pid"}, "start of a process", "", "out", "out"},
		{"inode", `echo x >f; stat -c %i f >out`, []string{"inode"}, "creation of a file", "sh", "out", "out"},
		{"aslr", `bin/address >out`, []string{"aslr"}, "execve", "bin/address", "out", "out"},
		{"uninitialised memory", `bin/uninit >out`, []string{"uninit"}, "execve", "bin/uninit", "out", "out"},
		{"race", `bin/race >out`, []string{"schedule"}, "gives way to", "bin/race", "out", "out"},
		{"cpu count", `echo jobs $(nproc) >out`, []string{"num_cpus"}, "", "", "pipe", "out"},
		{"cpu features", `gcc -march=native -dM -E - </dev/null | grep -w -e __AVX2__ -e __SSE4_2__ >out || :`, []string{"cpu_model"}, "", "", "pipe", "out"},
		{"locale", `echo "$LANG" >out`, []string{"locales"}, "", "", "out", "out"},
		{"time zone", `date -d @0 +%H:%M >out`, []string{"timezone"}, "", "", "out", "out"},
		{"umask", `touch out`, []string{"umask"}, "", "", "", "out"},
		{"path", `printf 'int main(void) { return 0; }' >x.c; gcc -g -c x.c -o out.o; rm x.c`, []string{"build_path"}, "", "", "", "out.o"},
		{"user", `id -un >out`, []string{"user_group"}, "", "", "out", "out"},
		{"host", `uname -n >out`, []string{"domain_host"}, "", "", "out", "out"},
		{"kernel", `uname -r >out`, []string{"kernel"}, "", "", "out", "out"},
		{"memory", `sed -n 1p /proc/meminfo >out`, []string{"memory"}, "", "", "out", "out"},
		{"disk", `df --output=size . >out`, []string{"disk"}, "", "", "out", "out"},
		{"home", `echo ~ >out`, []string{"home"}, "", "", "out", "out"},
		{"profile-guided", `cp bin/pgo.c .; gcc -O2 -fprofile-generate -c pgo.c; gcc -fprofile-generate pgo.o -o p; ./p; gcc -O2 -fprofile-use -c pgo.c; rm p pgo.c pgo.gcda`, []string{"time"}, "time", "./p", "gcda", "pgo.o"},
		{"several at once", `mkdir t; date +%F >t/a.o; od -An -tx4 -N4 /dev/urandom >t/b.o; ar rcD t/l.a t/a.o t/b.o; gzip -nc t/l.a >out.gz; rm -r t; uname -n >out`,
			[]string{"time", "random", "domain_host"}, "clock_gettime", "date", "t/a.o", "out.gz!out!a.o"},
		{"two only together", `if [ $(uname -n) != dettrace ] && [ $LANG != C.UTF-8 ]; then echo a; else echo b; fi >out`,
			[]string{"domain_host+locales"}, "", "", "pipe", "out"},
	}
}

func look(t *testing.T, script string, args ...string) (explain.Report, lab.Result) {
	t.Helper()
	args = append([]string{"explain", "--json", "--no-default-input", "-i", theLab.Kit.Dir + "/zoo:/build/src/bin"}, args...)
	c := exec.Command(theLab.Kit.Dettrace, append(args, "--", "sh", "-c", script)...)
	c.Dir = t.TempDir()
	r := lab.DoWithin(t, c, 10*lab.Limit)
	var rep explain.Report
	if err := json.Unmarshal([]byte(r.Stdout), &rep); err != nil {
		t.Fatalf("status %d, %v\n%s%s", r.Status, err, r.Stdout, r.Stderr)
	}
	return rep, r
}

// build makes the programs, once.
func build(t *testing.T) {
	t.Helper()
	dir := filepath.Join(theLab.Kit.Dir, "zoo")
	if err := os.MkdirAll(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three", "four", "five", "six"} {
		if err := os.WriteFile(filepath.Join(dir, "d", name), []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"address", "uninit", "race"} {
		c := exec.Command("gcc", "-O1", "-w", "-pthread", "-o", filepath.Join(dir, name), "testdata/"+name+".c")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	b, err := os.ReadFile("testdata/pgo.c")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "pgo.c"), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestZoo(t *testing.T) {
	build(t)
	for _, a := range animals() {
		t.Run(a.name, func(t *testing.T) {
			rep, r := look(t, a.script)
			var got []string
			for _, c := range rep.Causes {
				if !slices.Contains(got, c.Source) {
					got = append(got, c.Source)
				}
			}
			// A umask reaches the mode of whatever is made.
			if !slices.Contains(a.want, "umask") {
				for i := 0; i < len(rep.Causes); i++ {
					if c := rep.Causes[i]; c.Source == "umask" && onlyModes(c) {
						rep.Causes = slices.Delete(rep.Causes, i, i+1)
						got = slices.DeleteFunc(got, func(s string) bool { return s == "umask" })
					}
				}
			}
			if r.Status != 1 || rep.Result != explain.Unreproducible || !slices.Equal(got, a.want) {
				t.Fatalf("status %d, %s, causes %v, want %v\n%s%s", r.Status, rep.Result, got, a.want, r.Stdout, r.Stderr)
			}
			c := rep.Causes[0]
			switch {
			case a.what == "" && c.Use != nil:
				t.Errorf("use %+v, want none", c.Use)
			case a.what != "" && (c.Use == nil || !strings.Contains(c.Use.What, a.what) || !strings.Contains(strings.Join(c.Who, " "), a.who)):
				t.Errorf("use %+v by %q, want %q by %q", c.Use, c.Who, a.what, a.who)
			}
			if a.first != "" && (len(c.Flow) == 0 || !strings.Contains(c.Flow[0].Path, a.first)) {
				t.Errorf("flow %+v, want first %q", c.Flow, a.first)
			}
			if len(c.Places) == 0 || !strings.Contains(c.Places[0].Path, a.place) {
				t.Errorf("places %+v, want %q", c.Places, a.place)
			}
		})
	}
}

// onlyModes reports a cause that reaches nothing but modes of files.
func onlyModes(c explain.Cause) bool {
	return !slices.ContainsFunc(c.Places, func(p explain.Place) bool { return !slices.Equal(p.Kinds, []string{"mode"}) })
}

func TestNothing(t *testing.T) {
	build(t)
	rep, r := look(t, `echo same >out; chmod 644 out`)
	if r.Status != 0 || rep.Result != explain.Reproducible || len(rep.Causes) != 0 || rep.Runs > 8 {
		t.Errorf("status %d, %+v", r.Status, rep)
	}
	rep, r = look(t, `echo no >&2; exit 3`)
	if r.Status != 2 || rep.Result != explain.BuildFailed || rep.Tail != "no\n" {
		t.Errorf("status %d, %+v", r.Status, rep)
	}
}

// TestPage: the page has what the report has, and loads nothing.
func TestPage(t *testing.T) {
	build(t)
	page := filepath.Join(t.TempDir(), "x.html")
	if _, r := look(t, `date +%F >out`, "--vary", "time,pid", "--html", page); r.Status != 1 {
		t.Fatalf("%s%s", r.Stdout, r.Stderr)
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"unreproducible", "clock_gettime, no. ", "by process", "/build/src/out", "write(1&lt;"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q", want)
		}
	}
	for _, no := range []string{"src=", "http:", "https:", "@import", "<script"} {
		if strings.Contains(string(b), no) {
			t.Errorf("%q in the page", no)
		}
	}
}
