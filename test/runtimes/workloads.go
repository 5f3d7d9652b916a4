package runtimes

// Workload is one runtime at work.
type Workload struct {
	Name  string // of its directory below testdata too, unless Dir says another
	Dir   string
	Tools []string
	Want  []string // what a run that works prints
	Go    bool     // wants a Go toolchain with a warm cache
	Once  bool     // threads run at once: what two runs do differs
	Runs  int      // how often it runs when nothing is asked for: 0 is 20; long ones run less
	Flags []string
	Fails string // what dettrace says of one that cannot work
}

// Workloads returns the list, by kind.
func Workloads() []Workload {
	return []Workload{
		{Name: "javac", Tools: []string{"javac", "jar"}, Want: []string{"-515123684\n"}, Runs: 3},
		{Name: "java-run", Tools: []string{"javac"}, Want: []string{"threads 50000 ", "executor 328350 ", "nulls 20000", "== G1"}, Runs: 3},
		{Name: "java-run-4-cpus", Dir: "java-run", Flags: []string{"--cpus", "4"}, Tools: []string{"javac"}, Want: []string{"threads 50000 ", "cpus 4"}, Runs: 3},
		{Name: "maven", Tools: []string{"mvn"}, Want: []string{"Tests run: 2, Failures: 0", "BUILD SUCCESS", "built by lib at 2026-01-01T00:00:00Z"}, Runs: 3},
		{Name: "ant", Tools: []string{"ant", "javac"}, Want: []string{"OK (1 test)", "BUILD SUCCESSFUL", "built by ant 42"}, Runs: 3},
		{Name: "go-build", Go: true, Want: []string{"ok  \tdettrace/internal/fuse"}, Runs: 3},
		{Name: "go-run", Go: true, Want: []string{"goroutines 100000 ", "recovered: runtime error", "signals ok"}, Runs: 6},
		{Name: "go-run-4-cpus", Dir: "go-run", Flags: []string{"--cpus", "4"}, Go: true, Want: []string{"cpus 4 4", "goroutines 100000 ", "signals ok"}, Runs: 3},
		{Name: "java-run-native", Dir: "java-run", Flags: []string{"--allow", "threads-native"}, Tools: []string{"javac"}, Want: []string{"threads 50000 ", "executor 328350 ", "== G1"}, Once: true},
		{Name: "go-run-native", Dir: "go-run", Flags: []string{"--allow", "threads-native"}, Go: true, Want: []string{"goroutines 100000 ", "recovered: runtime error"}, Once: true},
		{Name: "go-race", Go: true, Tools: []string{"gcc"}, Want: []string{"PASS: TestLocked", "DATA RACE"}, Runs: 3},
		{Name: "cargo", Tools: []string{"cargo", "rustc"}, Want: []string{"test result: ok. 1 passed"}, Runs: 3},
		{Name: "rustc", Tools: []string{"rustc"}, Want: []string{"294364\n"}, Runs: 3},
		{Name: "node", Tools: []string{"node"}, Want: []string{"timers tick promise immediate 10 20 30", "fork 42", "you asked /3"}},
		{Name: "node-4-cpus", Dir: "node", Flags: []string{"--cpus", "4"}, Tools: []string{"node"}, Want: []string{" 4 3\n", "fork 42"}, Runs: 3},
		{Name: "npm", Tools: []string{"node", "npm"}, Want: []string{"ok\n", "42\n", "app-1.0.0.tgz"}, Runs: 3},
		{Name: "python", Tools: []string{"python3"}, Want: []string{"threads 4000 ", "spawn HELLO None 0", "sqlite (200, ", "alarm"}},
		{Name: "python-4-cpus", Dir: "python", Flags: []string{"--cpus", "4"}, Tools: []string{"python3"}, Want: []string{"threads 4000 ", "spawn HELLO None 0"}, Runs: 3},
		{Name: "ruby", Tools: []string{"ruby"}, Want: []string{"turns 012012012012012", "ractor [0, 1, 4]", "gc true"}},
		{Name: "php", Tools: []string{"php", "curl"}, Want: []string{"child 4 4", "served /b"}},
		{Name: "perl", Tools: []string{"perl"}, Want: []string{"threads 0 1 4 9", "alarm", "tcp 3cba"}},
		{Name: "ocaml", Tools: []string{"ocamlopt", "ocamlc"}, Want: []string{"threads 1000 ", "gc "}},
		{Name: "tcl", Tools: []string{"tclsh"}, Want: []string{"after 10 20 30", "tcp 3cba"}},
		{Name: "lua", Tools: []string{"lua5.4"}, Want: []string{"11 21 31 12", "memory\ttrue"}},
		{Name: "luajit", Tools: []string{"luajit"}, Want: []string{"calls\ttrue\t-20000", "goes back\t0", "callback\ttrue", "child 1 child 2 child 3"}, Runs: 6},
		{Name: "openmp", Tools: []string{"gcc"}, Want: []string{"static 0x1.", "tasks 190"}},
		{Name: "compress", Tools: []string{"xz", "zstd", "pigz"}, Want: []string{"  data.xz\n", "  data.zst\n", "  data.gz\n"}, Runs: 6},
		{Name: "make-ninja-cmake", Tools: []string{"make", "cmake", "ninja", "gcc"}, Want: []string{"100% tests passed", "Linking C executable"}, Runs: 6},
		{Name: "meson", Tools: []string{"meson", "ninja", "clang", "lld", "gcc"}, Want: []string{"106 of clang", "106 of gcc", "no work to do"}, Runs: 3},
		{Name: "mpi", Tools: []string{"mpicc", "mpirun"}, Want: []string{"ring 6", "ring 3", "rank 3 of 4"}, Runs: 3},
		{Name: "postgresql", Tools: []string{"psql", "pgbench", "setpriv"}, Want: []string{"processed: 100/100", "server stopped"}, Runs: 6},
		{Name: "redis", Tools: []string{"redis-server", "redis-benchmark"}, Want: []string{"\"LPUSH\"", "ready to exit"}},
		{Name: "nginx", Tools: []string{"nginx", "curl"}, Want: []string{"page 3", "\n404\n", "reconfiguring"}},
		{Name: "git-http", Tools: []string{"git", "curl", "python3"}, Want: []string{" more\n", "\n20\n"}},
		{Name: "rsync", Tools: []string{"rsync"}, Want: []string{">fcst...... d/7", "Matched data: 14,000 bytes"}},
		{Name: "keys", Tools: []string{"ssh-keygen", "openssl"}, Want: []string{"Good \"file\" signature", "\n3\n"}, Runs: 6},
		{Name: "fakeroot", Tools: []string{"fakeroot", "setpriv"}, Want: []string{"crw-r--r-- 1  0  0 1, 3", "uid=4,gid=4"}},
		{Name: "tmux", Tools: []string{"tmux"}, Want: []string{"got hello", "11 80"}},
		{Name: "script-pty", Tools: []string{"script", "python3"}, Want: []string{"a terminal", "status 768"}},
		{Name: "jobs-bash", Tools: []string{"bash", "script"}, Want: []string{"Stopped (signal)", "fg 7", "stopped 148", "fg 4"}},
		{Name: "jobs-dash", Tools: []string{"dash", "script"}, Want: []string{"fg 7", "wait 0", "term 143", "stopped 148", "Done(4)"}},
		{Name: "jobs-zsh", Tools: []string{"zsh", "script"}, Want: []string{"suspended (signal)", "fg 7", "stopped 148", "fg 4"}},
		{Name: "asan", Tools: []string{"gcc"}, Want: []string{"heap-buffer-overflow", "LeakSanitizer does not work under ptrace"},
			Fails: "refused: clone with CLONE_UNTRACED: EPERM"},
		{Name: "tsan", Tools: []string{"gcc"}, Want: []string{"ThreadSanitizer: data race"}},
		{Name: "valgrind", Tools: []string{"valgrind", "gcc"}, Want: []string{"Invalid write of size 4", "definitely lost: 40 bytes", "Possible data race"}, Runs: 6},
		// The guest may not trace: the supervisor does.
		{Name: "gdb", Tools: []string{"gdb", "gcc"}, Want: []string{"ptrace: Operation not permitted"}, Fails: "refused: ptrace: EPERM"},
	}
}
