package vdso

import "encoding/binary"

// A fresh image starts in code of ours, at the end of the vDSO's first page,
// which makes a few system calls that cost no stop, and jumps to the program:
//
//   - it maps the region of the fast paths (package fastpath), if there is one,
//     and perhaps a copy over the text that it goes on to;
//   - it unmaps the vDSO's data pages ([vvar], and since Linux 6.13
//     [vvar_vclock]): they hold the real clocks, readable by address;
//   - it lets cpuid trap, where the CPU can do that.

// Entry is what the code needs.
type Entry struct {
	Base    uint64 // of the vDSO
	Data    uint64 // bytes of data pages below it
	Program uint64 // where to go on
	Region  *Region
	Faults  bool // cpuid is to trap
	Trap    bool // stop in front of the program (Ready)
}

// Region is a file to map at a fixed address: Text bytes readable and
// executable, State bytes behind them readable and writable, both shared.
type Region struct {
	Path        string
	Base        uint32
	Text, State uint32
	Over        Overlay // nothing if Size is 0
}

// Overlay is more of that file, to map privately, readable and executable.
type Overlay struct {
	Addr       uint64
	Size, From uint32 // bytes, and where in the file
}

// Magic is the upper half of the descriptor arguments of the code's openat and
// mmap, which the kernel does not look at: the filter lets these through.
const Magic = 0xde77ace0

// EntryFault says which step of the code has failed.
type EntryFault int

const (
	NoFault     EntryFault = iota
	RegionFault            // the region could not be mapped
	DataFault              // the data pages could not be unmapped: they are sealed
	Ready                  // no failure: Entry.Trap
)

// entryRoom is the room of the code at the end of the vDSO's first page.
const entryRoom = 384

// assembler collects code, and jumps that are not bound yet.
type assembler struct {
	code  []byte
	loose map[string][]int
}

func (a *assembler) op(b ...byte) { a.code = append(a.code, b...) }

func (a *assembler) op32(v uint32, b ...byte) {
	a.code = binary.LittleEndian.AppendUint32(append(a.code, b...), v)
}

func (a *assembler) op64(v uint64, b ...byte) {
	a.code = binary.LittleEndian.AppendUint64(append(a.code, b...), v)
}

// jump is a branch with a 32-bit displacement to a label that follows.
func (a *assembler) jump(label string, b ...byte) {
	a.op32(0, b...)
	a.loose[label] = append(a.loose[label], len(a.code))
}

// bind puts the label here.
func (a *assembler) bind(label string) int {
	for _, at := range a.loose[label] {
		binary.LittleEndian.PutUint32(a.code[at-4:], uint32(len(a.code)-at))
	}
	return len(a.code)
}

// entryCode is the code, and the offsets of its two traps and of where it goes
// on behind the first.
//
// execve(2) hands over zeroed registers (ELF_PLAT_INIT, asm/elf.h); the code
// leaves them so, only the arithmetic flags are other, constant ones.
func entryCode(e *Entry) (code []byte, regionTrap, dataTrap, afterRegion, readyTrap int) {
	a := &assembler{loose: map[string][]int{}}
	syscall := func() { a.op(0x0f, 0x05) }
	if r := e.Region; r != nil {
		const (
			atCwd     = 0xffffff9c // AT_FDCWD
			openFlags = 0x80002    // O_RDWR|O_CLOEXEC
			mapFlags  = 0x100001   // MAP_SHARED|MAP_FIXED_NOREPLACE
		)
		a.op32(257, 0xb8)                   // mov $openat, %eax
		a.op64(Magic<<32|atCwd, 0x48, 0xbf) // movabs $dirfd, %rdi
		a.jump("path", 0x48, 0x8d, 0x35)    // lea path(%rip), %rsi
		a.op32(openFlags, 0xba)             // mov $flags, %edx
		syscall()                           //
		a.op(0x85, 0xc0)                    // test %eax, %eax
		a.jump("region failed", 0x0f, 0x88) // js
		a.op64(Magic<<32, 0x49, 0xb8)       // movabs $magic, %r8
		a.op(0x49, 0x09, 0xc0)              // or %rax, %r8
		a.op32(9, 0xb8)                     // mov $mmap, %eax
		a.op32(r.Base, 0xbf)                // mov $base, %edi
		a.op32(r.Text, 0xbe)                // mov $size, %esi
		a.op32(5, 0xba)                     // mov $PROT_READ|PROT_EXEC, %edx
		a.op32(mapFlags, 0x41, 0xba)        // mov $flags, %r10d
		syscall()                           //
		a.op(0x48, 0x39, 0xf8)              // cmp %rdi, %rax
		a.jump("region failed", 0x0f, 0x85) // jne
		a.op32(9, 0xb8)                     // mov $mmap, %eax
		a.op32(r.Base+r.Text, 0xbf)         // mov $state, %edi
		a.op32(r.State, 0xbe)               // mov $size, %esi
		a.op32(3, 0xba)                     // mov $PROT_READ|PROT_WRITE, %edx
		a.op32(r.Text, 0x41, 0xb9)          // mov $offset, %r9d
		syscall()                           //
		a.op(0x48, 0x39, 0xf8)              // cmp %rdi, %rax
		a.jump("region failed", 0x0f, 0x85) // jne
		if o := r.Over; o.Size != 0 {
			const overFlags = 0x12        // MAP_PRIVATE|MAP_FIXED
			a.op32(9, 0xb8)               // mov $mmap, %eax
			a.op64(o.Addr, 0x48, 0xbf)    // movabs $addr, %rdi
			a.op32(o.Size, 0xbe)          // mov $size, %esi
			a.op32(5, 0xba)               // mov $PROT_READ|PROT_EXEC, %edx
			a.op32(overFlags, 0x41, 0xba) // mov $flags, %r10d
			a.op32(o.From, 0x41, 0xb9)    // mov $offset, %r9d
			syscall()                     // the original does as well
		}
		afterRegion = a.bind("close") //
		a.op32(3, 0xb8)               // mov $close, %eax
		a.op(0x44, 0x89, 0xc7)        // mov %r8d, %edi
		syscall()                     // EBADF where there is nothing to close
	}
	if e.Faults {
		a.op32(158, 0xb8)             // mov $arch_prctl, %eax
		a.op32(0x1012, 0xbf)          // mov $ARCH_SET_CPUID, %edi
		a.op(0x31, 0xf6)              // xor %esi, %esi
		a.op64(Magic<<32, 0x48, 0xba) // movabs $magic, %rdx: an argument that it has not
		syscall()                     // it worked for the first image
	}
	a.op64(e.Base-e.Data, 0x48, 0xbf) // movabs $data, %rdi
	a.op32(uint32(e.Data), 0xbe)      // mov $size, %esi
	a.op32(11, 0xb8)                  // mov $munmap, %eax
	syscall()                         //
	a.op(0x85, 0xc0)                  // test %eax, %eax
	a.jump("data failed", 0x0f, 0x85) // jne
	a.op(0x31, 0xc9)                  // xor %ecx, %ecx
	a.op(0x31, 0xd2)                  // xor %edx, %edx
	a.op(0x31, 0xf6)                  // xor %esi, %esi
	a.op(0x31, 0xff)                  // xor %edi, %edi
	a.op(0x45, 0x31, 0xc0)            // xor %r8d, %r8d
	a.op(0x45, 0x31, 0xc9)            // xor %r9d, %r9d
	a.op(0x45, 0x31, 0xd2)            // xor %r10d, %r10d
	a.op(0x45, 0x31, 0xdb)            // xor %r11d, %r11d
	readyTrap = -1
	if e.Trap {
		readyTrap = len(a.code)
		a.op(0xcc) // int3
	}
	a.jump("program", 0xff, 0x25) // jmp *program(%rip)
	regionTrap = a.bind("region failed")
	a.op(0xcc) // int3
	dataTrap = a.bind("data failed")
	a.op(0xcc) // int3
	a.bind("program")
	a.op64(e.Program)
	if e.Region != nil {
		a.bind("path")
		a.op(append([]byte(e.Region.Path), 0)...)
	}
	return a.code, regionTrap, dataTrap, afterRegion, readyTrap
}

// PutEntry writes the code into img, which is a Cover of at least MaxImage
// bytes to lie at e.Base. It returns the address to start at.
func PutEntry(img []byte, e *Entry) (start uint64) {
	code, _, _, _, _ := entryCode(e)
	room := img[MaxImage-entryRoom : MaxImage]
	clear(room[copy(room, code):])
	return e.Base + MaxImage - entryRoom
}

// Fault tells what rip, at a SIGTRAP of an image that started in e's code,
// means; next is where to go on.
func (e *Entry) Fault(rip uint64) (f EntryFault, next uint64) {
	_, regionTrap, dataTrap, afterRegion, readyTrap := entryCode(e)
	start := e.Base + MaxImage - entryRoom
	switch rip {
	case start + uint64(dataTrap) + 1:
		return DataFault, e.Program
	case start + uint64(regionTrap) + 1:
		if e.Region != nil {
			return RegionFault, start + uint64(afterRegion)
		}
	case start + uint64(readyTrap) + 1:
		if e.Trap {
			return Ready, e.Program
		}
	}
	return NoFault, 0
}
