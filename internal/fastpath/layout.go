// Package fastpath answers system calls inside the guest. A stop for the
// supervisor costs a hundred times a system call; most calls of a build only
// have to be counted, or have a field of their result corrected.
//
// Every process has a region mapped at a fixed low address: code that works
// without stack, libc and thread-local storage, and one page of state, shared
// by all processes and with the supervisor. A system call instruction that
// stops is replaced by a jump into the region (Site). Calls that the region
// serves are made from there, where the seccomp filter lets them through; for
// all others it restores the registers and makes the call from the site's stub,
// where the filter stops it as ever. Leaving is the default.
//
// The result is the same whether a call is served or stops:
//   - a served call is an event like any other; the supervisor adds up Served
//     at the next stop, and gives a Budget that ends before an event that has
//     consequences (the quantum, a timer);
//   - the same corrections are made (code_amd64.s, kernel's normalise).
//
// One page of state and one stack are enough because one guest thread runs at
// a time and nothing in the region blocks.
//
// The region is no security boundary. The guest can write the state and jump
// into the code: it can spoil its own determinism, and nothing else. The
// supervisor clamps what it reads there.
package fastpath

// Addresses in the guest. The region lies below where linkers put programs
// (0x200000 and 0x400000), so that it is in the way neither of a program nor of
// its heap, and above what mmap_min_addr forbids.
const (
	Base = 0x180000 // code, tables, stubs: readable and executable

	classOffset   = 0x2000 // one byte per call number: Class
	maxCalls      = 512
	pointerOffset = 0x3000 // the table that patched sites jump through
	stubRoom      = 4096
	maxStubs      = stubRoom - 4 - 2*maxVforks // the last four are the code for clocks
	stubOffset    = pointerOffset + 8*stubRoom
	stubSize      = 64

	// Stubs of vfork make the call themselves, in a second half of their size.
	maxVforks   = 32
	vforkOffset = stubOffset + stubSize*maxStubs
	Vforks      = Base + vforkOffset

	TextSize = stubOffset + stubSize*stubRoom

	State     = Base + TextSize // the page of state: readable and writable
	StateSize = 0x1000
	End       = State + StateSize

	CodeEnd = Base + classOffset // the code that makes the calls is in Base..CodeEnd

	tscOffset = 0x1d00 // the code for rdtsc

	// FileSize is the size of the file that both are mapped from, in order, before
	// there are copies of text (Text).
	FileSize = TextSize + StateSize
)

// Offsets in the state; those up to offFlags are in code_amd64.s too.
const (
	offBudget    = 0  // calls that may be served
	offServed    = 8  // calls that were
	offFuseDev   = 40 // st_dev of our file system as the kernel has it
	offTreeDev   = 48 // and as the guest sees that of the main volume
	offImageIno  = 56 // inode numbers from here on are of the main volume
	offVolumeIno = 64 // as are those below this
	offNoOpen    = 72 // not 0: opening a file may block
	offFuseMinor = 112
	offTSC       = 128 // the time stamp counter when the thread was let go
	offTick      = 136 // what a call that is served adds to it
	offStdio     = 184 // three words: inode numbers of the pipes to the host
	offNow       = 208 // the time when the thread was let go, ns since 1970
	offJump      = 168 // where the code for rdtsc goes on
	offChanged   = 216 // not 0: no Text may be used
	offCPU       = 232 // the number of the CPU that the thread is on
	offNoChild   = 240 // not 0: the process has no child to wait for
	offRandomPos = 248 // how many words at offRandom were taken
	offNullDev   = 0x240
	offNullIno   = 0x248 // what stat tells of /dev/null
	offEpoch     = 0x250 // and its times: seconds and nanoseconds
	offAlone     = 0x278 // not 0: nobody could have the turn instead
	offSegvSet   = 0x280 // not 0: there is a note
	offSegv      = 0x288 // of 32 bytes, what the thread does on SIGSEGV
	offMemTotal  = 0x710 // of the machine, bytes
	offMemFree   = 0x718
	offStill     = 0x720 // not 0: why a birth that was counted on did not come, a result
	offRandom    = 0x2c0 // the next words of the run's random stream
)

// Class says how the region serves a call; code_amd64.s has the numbers by name.
type Class uint8

const (
	Leave     Class = iota
	Plain           // counted, else the kernel's
	StatSI          // a struct stat at the address in rsi
	StatDX          // in rdx
	Open            // opens a file
	LinkSI          // reads a link into rsi
	LinkDX          // into rdx
	File            // is about the regular file of descriptor rdi, or for read and write a pipe
	List            // lists the directory of descriptor rdi
	Clock           // clock_gettime
	TimeOfDay       // gettimeofday
	Time            // time
	Map             // mmap: of a library of which there is a Text, or of a file to be read
	Futex           // futex: FUTEX_WAKE of a private one
	GetCPU          // getcpu
	Fails           // has no effect where it fails, as it mostly does
	Terminal        // ioctl: is this a terminal?
	Random          // getrandom of 8 bytes
	Segv            // rt_sigaction of SIGSEGV
	WaitNone        // wait4 without children
	OwnerSI         // a new owner in rsi and group in rdx
	OwnerDX         // in rdx and r10
	Xattr           // reads an extended attribute
	Yield           // sched_yield to nobody
	Birth           // clone, as fork(3) does it: no event
	Sysinfo         // sysinfo
	Vfork           // vfork, of those stubs: no event

	// Of these on, calls are no events.

	Close  // closes descriptor rdi
	Onto   // makes rsi another descriptor
	Closes // closes a range
)

// Calls that the code makes by itself.
const (
	mmap  = 9
	poll  = 7
	statx = 332
	vfork = 58
)

// served is a call that is served.
type served struct {
	nr    int
	class Class
}

// table lists the calls that are served.
func table() []served {
	return []served{
		{0, File},      // read
		{1, File},      // write
		{2, Open},      // open
		{3, Close},     // close
		{4, StatSI},    // stat
		{5, StatSI},    // fstat
		{6, StatSI},    // lstat
		{9, Map},       // mmap
		{13, Segv},     // rt_sigaction
		{16, Terminal}, // ioctl
		{17, File},     // pread64
		{18, File},     // pwrite64
		{19, File},     // readv
		{20, File},     // writev
		{21, Plain},    // access
		{24, Yield},    // sched_yield
		{33, Onto},     // dup2
		{56, Birth},    // clone
		{vfork, Vfork},
		{59, Plain},     // execve
		{61, WaitNone},  // wait4
		{76, Plain},     // truncate
		{77, File},      // ftruncate
		{78, List},      // getdents
		{82, Plain},     // rename
		{83, Plain},     // mkdir
		{84, Plain},     // rmdir
		{85, Open},      // creat
		{86, Plain},     // link
		{87, Plain},     // unlink
		{88, Plain},     // symlink
		{89, LinkSI},    // readlink
		{90, Plain},     // chmod
		{91, Plain},     // fchmod
		{92, OwnerSI},   // chown
		{93, OwnerSI},   // fchown
		{94, OwnerSI},   // lchown
		{96, TimeOfDay}, // gettimeofday
		{99, Sysinfo},   // sysinfo
		{137, Fails},    // statfs
		{191, Xattr},    // getxattr
		{192, Xattr},    // lgetxattr
		{193, Xattr},    // fgetxattr
		{201, Time},     // time
		{202, Futex},    // futex
		{217, List},     // getdents64
		{228, Clock},    // clock_gettime
		{257, Open},     // openat
		{258, Plain},    // mkdirat
		{260, OwnerDX},  // fchownat
		{262, StatDX},   // newfstatat
		{263, Plain},    // unlinkat
		{264, Plain},    // renameat
		{265, Plain},    // linkat
		{266, Plain},    // symlinkat
		{267, LinkDX},   // readlinkat
		{268, Plain},    // fchmodat
		{269, Plain},    // faccessat
		{280, Plain},    // utimensat
		{292, Onto},     // dup3
		{295, File},     // preadv
		{296, File},     // pwritev
		{309, GetCPU},   // getcpu
		{316, Plain},    // renameat2
		{318, Random},   // getrandom
		{322, Plain},    // execveat
		{436, Closes},   // close_range
		{439, Plain},    // faccessat2
		{452, Plain},    // fchmodat2
	}
}
