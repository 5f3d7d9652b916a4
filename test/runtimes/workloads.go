package runtimes

// Workload is one runtime at work.
type Workload struct {
	Name  string // of its directory below testdata too, unless Dir says another
	Dir   string
	Tools []string
	Want  []string // what a run that works prints
	Go    bool     // wants a Go toolchain with a warm cache
	Long  bool     // runs twice only, unless more is asked for
	Flags []string
	Fails string // what dettrace says of one that cannot work
}

// Workloads returns the list, by kind.
func Workloads() []Workload {
	return []Workload{
		{Name: "javac", Tools: []string{"javac", "jar"}, Want: []string{"-515123684\n"}, Long: true},
		{Name: "java-run", Tools: []string{"javac"}, Want: []string{"threads 50000 ", "executor 328350 ", "nulls 20000", "== G1"}, Long: true},
		{Name: "java-run-4-cpus", Dir: "java-run", Flags: []string{"--cpus", "4"}, Tools: []string{"javac"}, Want: []string{"threads 50000 ", "cpus 4"}, Long: true},
		{Name: "maven", Tools: []string{"mvn"}, Want: []string{"BUILD SUCCESS"}, Long: true},
		{Name: "go-build", Go: true, Want: []string{"ok  \tdettrace/internal/fuse"}, Long: true},
		{Name: "go-run", Go: true, Want: []string{"goroutines 100000 ", "recovered: runtime error", "signals ok"}},
		{Name: "go-run-4-cpus", Dir: "go-run", Flags: []string{"--cpus", "4"}, Go: true, Want: []string{"cpus 4 4", "goroutines 100000 ", "signals ok"}, Long: true},
		{Name: "go-race", Go: true, Tools: []string{"gcc"}, Want: []string{"PASS: TestLocked", "DATA RACE"}, Long: true},
		{Name: "cargo", Tools: []string{"cargo", "rustc"}, Want: []string{"test result: ok. 1 passed"}, Long: true},
		{Name: "rustc", Tools: []string{"rustc"}, Want: []string{"294364\n"}, Long: true},
		{Name: "node", Tools: []string{"node"}, Want: []string{"timers tick promise immediate 10 20 30", "fork 42", "you asked /3"}},
		{Name: "node-4-cpus", Dir: "node", Flags: []string{"--cpus", "4"}, Tools: []string{"node"}, Want: []string{" 4 3\n", "fork 42"}, Long: true},
		{Name: "npm", Tools: []string{"node", "npm"}, Want: []string{"ok\n", "42\n", "app-1.0.0.tgz"}, Long: true},
		{Name: "python", Tools: []string{"python3"}, Want: []string{"threads 4000 ", "spawn HELLO None 0", "sqlite (200, ", "alarm"}},
		{Name: "python-4-cpus", Dir: "python", Flags: []string{"--cpus", "4"}, Tools: []string{"python3"}, Want: []string{"threads 4000 ", "spawn HELLO None 0"}, Long: true},
		{Name: "ruby", Tools: []string{"ruby"}, Want: []string{"turns 012012012012012", "ractor [0, 1, 4]", "gc true"}},
		{Name: "php", Tools: []string{"php", "curl"}, Want: []string{"child 4 4", "served /b"}},
		{Name: "perl", Tools: []string{"perl"}, Want: []string{"threads 0 1 4 9", "alarm", "tcp 3cba"}},
		{Name: "ocaml", Tools: []string{"ocamlopt", "ocamlc"}, Want: []string{"threads 1000 ", "gc "}},
		{Name: "tcl", Tools: []string{"tclsh"}, Want: []string{"after 10 20 30", "tcp 3cba"}},
		{Name: "openmp", Tools: []string{"gcc"}, Want: []string{"static 0x1.", "tasks 190"}},
		{Name: "compress", Tools: []string{"xz", "zstd", "pigz"}, Want: []string{"  data.xz\n", "  data.zst\n", "  data.gz\n"}},
		{Name: "make-ninja-cmake", Tools: []string{"make", "cmake", "ninja", "gcc"}, Want: []string{"100% tests passed", "Linking C executable"}},
		{Name: "postgresql", Tools: []string{"psql", "pgbench", "setpriv"}, Want: []string{"processed: 100/100", "server stopped"}},
		{Name: "redis", Tools: []string{"redis-server", "redis-benchmark"}, Want: []string{"\"LPUSH\"", "ready to exit"}},
		{Name: "nginx", Tools: []string{"nginx", "curl"}, Want: []string{"page 3", "\n404\n", "reconfiguring"}},
		{Name: "git-http", Tools: []string{"git", "curl", "python3"}, Want: []string{" more\n", "\n20\n"}},
		{Name: "tmux", Tools: []string{"tmux"}, Want: []string{"got hello", "11 80"}},
		{Name: "script-pty", Tools: []string{"script", "python3"}, Want: []string{"a terminal", "status 768"}},
		{Name: "jobs-bash", Tools: []string{"bash", "script"}, Want: []string{"Stopped (signal)", "fg 7", "stopped 148", "fg 4"}},
		{Name: "jobs-zsh", Tools: []string{"zsh", "script"}, Want: []string{"suspended (signal)", "fg 7", "stopped 148", "fg 4"}},
		{Name: "asan", Tools: []string{"gcc"}, Want: []string{"heap-buffer-overflow", "LeakSanitizer does not work under ptrace"},
			Fails: "refused: clone with CLONE_UNTRACED: EPERM"},
		{Name: "tsan", Tools: []string{"gcc"}, Want: []string{"ThreadSanitizer: data race"}},
		{Name: "valgrind", Tools: []string{"valgrind", "gcc"}, Want: []string{"Invalid write of size 4", "definitely lost: 40 bytes", "Possible data race"}},
		// The guest may not trace: the supervisor does.
		{Name: "gdb", Tools: []string{"gdb", "gcc"}, Want: []string{"ptrace: Operation not permitted"}, Fails: "refused: ptrace: EPERM"},
	}
}
