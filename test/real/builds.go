package real

// Build is one piece of real software.
type Build struct {
	Name   string
	Source string // below the cache
	Guest  string // where the source is put; the script starts in Guest/Sub
	Sub    string
	Image  string // "host", or a directory below the cache
	Script string // must use what it built; its output is compared too
	Want   string // what a build that works prints
	// Artifact, a suffix of a path among the changes, is taken out of the
	// saved tar and given to Inspect as $1, natively on this host.
	Artifact, Inspect, InspectWant string
	// Racy builds run jobs in parallel: their native order is a race.
	Racy bool
}

// Builds returns the list: from a single compiler loop to whole packages.
func Builds() []Build {
	list := []Build{
		{
			Name: "lua", Source: "src/lua",
			Script: `make posix && ./src/lua -e 'print(_VERSION, #arg, tostring({}))'`,
			Want:   "Lua 5.4", Artifact: "src/lua", Inspect: `"$1" -e 'print(6*7)'`, InspectWant: "42",
		},
		{
			Name: "zlib", Source: "src/zlib",
			Script: `sh ./configure --static && make && make test`,
			Want:   "zlib test OK", Artifact: "/minigzip", Inspect: `echo hello | "$1" | gzip -dc`, InspectWant: "hello",
		},
		{
			Name: "hello", Source: "src/hello",
			Script: `./configure && make && make check && ./hello`,
			Want:   "Hello, world!", Artifact: "/hello", Inspect: `"$1"`, InspectWant: "Hello, world!",
		},
		{
			Name: "project -j4", Source: "src/project", Racy: true,
			Script: `make -j4 && make check`,
			Want:   "built Jan  1 2026", Artifact: "/prog", Inspect: `"$1"`, InspectWant: "built Jan  1 2026",
		},
		{
			Name: "git clone", Source: "src/gitrepo", Guest: "/build/repo", Sub: "..",
			Script: `git config --global --add safe.directory '*' && git clone file:///build/repo clone && cd clone && make check && git status --short && git log --oneline | wc -l && touch new && git add new && git -c user.name=a -c user.email=a@example.org commit -q -m new && git rev-parse HEAD`,
			Want:   "version v1.0", Artifact: "clone/prog", Inspect: `"$1"`, InspectWant: "version v1.0",
		},
		{
			Name: "sqlite", Source: "src/sqlite", Image: "image/debian",
			Script: `./configure --disable-tcl --disable-readline CFLAGS=-O0 && make sqlite3 && ./sqlite3 x.db 'create table t(a); insert into t values(randomblob(8)),(1),(2); select count(*), sum(length(a)) from t; select datetime("now"), hex(a) from t limit 1'`,
			Want:   "3|10", Artifact: "/sqlite3", Inspect: `"$1" :memory: 'select 6*7'`, InspectWant: "42",
		},
		{
			Name: "python C extension", Source: "src/markupsafe", Image: "image/debian",
			Script: `python3 setup.py build && cd build/lib.* && python3 -c 'from markupsafe import _speedups as s; print(s.escape("<"), hash("x"), id(s) % 4096)'`,
			Want:   "&lt;", Artifact: ".so", Inspect: `readelf -h "$1"`, InspectWant: "DYN",
		},
	}
	for _, p := range []struct{ name, artifact, want string }{
		{"hello", "_amd64.deb", "Package: hello"},
		{"moreutils", "_amd64.deb", "Package: moreutils"},
		{"markupsafe", "_amd64.deb", "Package: python3-markupsafe"},
		{"patch", "_amd64.deb", "Package: patch"},
	} {
		list = append(list, Build{
			Name: "deb " + p.name, Source: "deb/" + p.name, Guest: "/build", Sub: "src", Image: "image/debian",
			Script: `dpkg-buildpackage -us -uc -b -rfakeroot && for d in ../*.deb; do dpkg-deb -I "$d" && dpkg-deb -c "$d"; done && sha256sum ../*.deb`,
			Want:   p.want, Artifact: p.artifact, Inspect: `dpkg-deb -I "$1" && dpkg-deb --fsys-tarfile "$1" | tar -t >/dev/null`, InspectWant: p.want,
		})
	}
	// Not as root: debian/rules binary runs under fakeroot, and the package
	// is the same.
	list = append(list, Build{
		Name: "deb moreutils as a user", Source: "deb/moreutils", Guest: "/build", Sub: "src", Image: "image/debian",
		Script: `chmod 755 / /build && chown -R 1000:1000 /build && setpriv --reuid 1000 --regid 1000 --clear-groups dpkg-buildpackage -us -uc -b -rfakeroot && sha256sum ../*.deb && dpkg-deb -c ../moreutils_*.deb && ! dpkg-deb -c ../moreutils_*.deb | grep -v root/root`,
		Want:   "root/root", Artifact: "_amd64.deb", Inspect: `dpkg-deb -I "$1"`, InspectWant: "Package: moreutils",
	})
	for i := range list {
		if list[i].Guest == "" {
			list[i].Guest = "/build/src"
		}
		if list[i].Image == "" {
			list[i].Image = "host"
		}
	}
	return list
}
