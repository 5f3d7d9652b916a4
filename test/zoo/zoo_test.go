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
	script string  // of sh, in a directory with ours programs in bin
	want   []cause // in order of the list of sources
}

// cause is what explain must say of one.
type cause struct {
	source string // or several, "A+B"
	what   string // part of what its use is; "" = it is set at the start
	who    string // part of the command line of the process of that use
	first  string // part of the path of the first write that differs
	place  string // part of the first place that differs
}

func animals() []animal {
	return []animal{
		{"time", `date -u +%F >out`, []cause{{"time", "clock_gettime", "date", "out", "out"}}},
		{"copyright year", `year=$(date -u +%Y); printf 'x\n(c) %s\n' $year >tmp; cat tmp tmp >out; rm tmp`, []cause{{"time", "clock_gettime", "date", "pipe", "out"}}},
		{"file times in an archive", `echo a >a; tar -cf out.tar a; rm a`, []cause{
			{"time", "", "", "out.tar", "out.tar!a"}, {"user_group", "", "", "out.tar", "out.tar!a"}, {"umask", "", "", "out.tar", "out.tar"}}},
		{"random", `od -An -tx4 -N4 /dev/urandom >out`, []cause{{"random", "random device", "od", "out", "out"}}},
		{"hash order", `python3 -B -c 'print(" ".join({"a", "b", "c", "d", "e", "f"}))' >out`, []cause{{"random", "getrandom", "python3", "out", "out"}}},
		{"readdir", `cat $(ls -U bin/d | sed s,^,bin/d/,) >out`, []cause{{"fileordering", "listing", "ls -U", "pipe", "out"}}},
		{"pid", `true & echo $! >out`, []cause{{"pid", "start of a process", "", "out", "out"}}},
		{"inode", `echo x >f; stat -c %i f >out`, []cause{{"inode", "creation of a file", "sh", "out", "out"}}},
		{"aslr", `bin/address >out`, []cause{{"aslr", "execve", "bin/address", "out", "out"}}},
		{"uninitialised memory", `bin/uninit >out`, []cause{{"uninit", "execve", "bin/uninit", "out", "out"}}},
		{"race", `bin/race >out`, []cause{{"schedule", "gives way to", "bin/race", "out", "out"}}},
		{"cpu count", `echo jobs $(nproc) >out`, []cause{{"num_cpus", "", "", "pipe", "out"}}},
		{"cpu features", `gcc -march=native -dM -E - </dev/null | grep -w -e __AVX2__ -e __SSE4_2__ >out || :`, []cause{{"cpu_model", "", "", "pipe", "out"}}},
		{"locale", `echo "$LANG" >out`, []cause{{"locales", "", "", "out", "out"}}},
		{"day of the zone", `date +%F >out`, []cause{{"time", "clock_gettime", "date", "out", "out"}, {"timezone", "", "", "out", "out"}}},
		{"time zone", `date -d @0 +%H:%M >out`, []cause{{"timezone", "", "", "out", "out"}}},
		{"umask", `touch out`, []cause{{"umask", "", "", "", "out"}}},
		{"path", `printf 'int main(void) { return 0; }' >x.c; gcc -g -c x.c -o out.o; rm x.c`, []cause{{"build_path", "", "", "", "out.o"}}},
		{"user", `id -un >out`, []cause{{"user_group", "", "", "out", "out"}}},
		{"host", `uname -n >out`, []cause{{"domain_host", "", "", "out", "out"}}},
		{"kernel", `uname -r >out`, []cause{{"kernel", "", "", "out", "out"}}},
		{"memory", `sed -n 1p /proc/meminfo >out`, []cause{{"memory", "", "", "out", "out"}}},
		{"disk", `df --output=size . >out`, []cause{{"disk", "", "", "out", "out"}}},
		{"home", `echo ~ >out`, []cause{{"home", "", "", "out", "out"}}},
		{"profile-guided", `cp bin/pgo.c .; gcc -O2 -fprofile-generate -c pgo.c; gcc -fprofile-generate pgo.o -o p; ./p; gcc -O2 -fprofile-use -c pgo.c; rm p pgo.c pgo.gcda`, []cause{{"time", "time", "./p", "gcda", "pgo.o"}}},
		{"several at once", `mkdir t; date -u +%F >t/a.o; od -An -tx4 -N4 /dev/urandom >t/b.o; ar rcD t/l.a t/a.o t/b.o; gzip -nc t/l.a >out.gz; rm -r t; uname -n >out`,
			[]cause{
				{"time", "clock_gettime", "date", "t/a.o", "out.gz!out!a.o"}, {"random", "random device", "od", "t/b.o", "out.gz!out!b.o"},
				{"domain_host", "", "", "/build/src/out", "build/src/out"}}},
		{"two only together", `if [ $(uname -n) != dettrace ] && [ $LANG != C.UTF-8 ]; then echo a; else echo b; fi >out`,
			[]cause{{"domain_host+locales", "", "", "pipe", "out"}}},
		{"long chain", `umask 022; mkdir -p r/DEBIAN r/usr/lib
			printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m <m@x>\nDescription: d\n' >r/DEBIAN/control
			date -u +%F >a.o; od -An -tx4 -N4 /dev/urandom >b.o; ar rcD r/usr/lib/l.a a.o b.o
			tar --mtime=@0 --owner=0 --group=0 --numeric-owner -C r/usr/lib -cf r/usr/t.tar l.a; xz -0 r/usr/t.tar; rm r/usr/lib/l.a
			SOURCE_DATE_EPOCH=0 dpkg-deb --root-owner-group -Zxz -b r out.deb; rm -r r a.o b.o`,
			[]cause{
				{"time", "clock_gettime", "date", "a.o", "out.deb!data.tar.xz!data.tar!./usr/t.tar.xz!t.tar!l.a!a.o"},
				{"random", "random device", "od", "b.o", "out.deb!data.tar.xz!data.tar!./usr/t.tar.xz!t.tar!l.a!b.o"}}},
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
			// A umask reaches the mode of whatever is made.
			if !slices.ContainsFunc(a.want, func(w cause) bool { return w.source == "umask" }) {
				rep.Causes = slices.DeleteFunc(rep.Causes, func(c explain.Cause) bool { return c.Source == "umask" && onlyModes(c) })
			}
			var got, want []string
			for _, c := range rep.Causes {
				got = append(got, c.Source)
			}
			for _, w := range a.want {
				want = append(want, w.source)
			}
			if r.Status != 1 || rep.Result != explain.Unreproducible || !slices.Equal(slices.Compact(got), want) {
				t.Fatalf("status %d, %s, causes %v, want %v\n%s%s", r.Status, rep.Result, got, want, r.Stdout, r.Stderr)
			}
			// Of several uses of one source the first is looked at.
			rep.Causes = slices.CompactFunc(rep.Causes, func(a, b explain.Cause) bool { return a.Source == b.Source })
			for i, w := range a.want {
				w.check(t, rep.Causes[i])
			}
		})
	}
}

func (w cause) check(t *testing.T, c explain.Cause) {
	t.Helper()
	switch {
	case w.what == "" && c.Use != nil:
		t.Errorf("%s: use %+v, want none", w.source, c.Use)
	case w.what != "" && (c.Use == nil || !strings.Contains(c.Use.What, w.what) || !strings.Contains(strings.Join(c.Who, " "), w.who)):
		t.Errorf("%s: use %+v by %q, want %q by %q", w.source, c.Use, c.Who, w.what, w.who)
	}
	if w.first != "" && (len(c.Flow) == 0 || !strings.Contains(c.Flow[0].Path, w.first)) {
		t.Errorf("%s: flow %+v, want first %q", w.source, c.Flow, w.first)
	}
	if len(c.Places) == 0 || !strings.Contains(c.Places[0].Path, w.place) {
		t.Errorf("%s: places %+v, want %q", w.source, c.Places, w.place)
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
	if _, r := look(t, `date -u +%F >out`, "--vary", "time,pid", "--html", page); r.Status != 1 {
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
