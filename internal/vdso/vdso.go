// Package vdso makes a fresh process image the same on every host: a vDSO of
// our own over the kernel's, and a fixed auxiliary vector.
//
// The kernel maps a small shared object into every process (vdso(7)) whose
// functions read the real clocks without a system call, so no filter sees them.
// Image is written over it, in place, at every exec: the same symbols, but each
// function is the plain system call, which stops and is answered from the
// logical clock. AT_SYSINFO_EHDR therefore stays as it is.
//
// __vdso_getrandom (Linux 6.11) is left out on purpose: it generates in user
// space from a state that the kernel seeds, and every caller (glibc, Go) falls
// back to getrandom(2) where the symbol is absent, as on older kernels.
// __vdso_sgx_enter_enclave is left out too: there are no enclaves.
//
// The package only computes; reading and writing the guest is the caller's.
package vdso

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// MaxImage is the size in bytes that Image never exceeds: one page, which is
// the least that any kernel's vDSO has.
const MaxImage = 4096

// function is one exported call: __vdso_NAME, and NAME as a weak alias, as
// arch/x86/entry/vdso/vdso.lds.S has them.
type function struct {
	name string
	nr   uint32
}

func functions() []function {
	return []function{
		{"clock_gettime", unix.SYS_CLOCK_GETTIME},
		{"gettimeofday", unix.SYS_GETTIMEOFDAY},
		{"getcpu", unix.SYS_GETCPU},
		{"time", unix.SYS_TIME},
		{"clock_getres", unix.SYS_CLOCK_GETRES},
	}
}

// stubSize is the room of one function, a power of two.
const stubSize = 16

// stub is the code of one function: it returns -errno on failure, as the
// kernel's own functions do.
func stub(nr uint32) [stubSize]byte {
	return [stubSize]byte{
		0xf3, 0x0f, 0x1e, 0xfa, // endbr64
		0xb8, byte(nr), byte(nr >> 8), byte(nr >> 16), byte(nr >> 24), // mov $nr, %eax
		0x0f, 0x05, // syscall
		0xc3, // ret
		0xcc, 0xcc, 0xcc, 0xcc,
	}
}

// Call is a system call instruction of Image.
type Call struct {
	Number int
	Offset uint64 // in bytes
}

// Calls lists them all.
func Calls() (list []Call) {
	img := Image()
	for _, f := range functions() {
		code := stub(f.nr)
		at := bytes.Index(img, code[:]) + bytes.Index(code[:], []byte{0x0f, 0x05})
		list = append(list, Call{int(f.nr), uint64(at)})
	}
	return list
}

// SyscallOffset is where in Image a system call instruction stands that no fast
// path replaces: clock_getres(2) is always the supervisor's.
func SyscallOffset() uint64 {
	list := Calls()
	return list[slices.IndexFunc(list, func(c Call) bool { return c.Number == unix.SYS_CLOCK_GETRES })].Offset
}

// Cover is Image, filled up with trapping instructions to size bytes: the size
// of the kernel's vDSO (ReadHost), so that nothing of its code is left behind.
// A size below that of Image gives Image.
func Cover(size int) []byte {
	img := Image()
	for len(img) < size {
		img = append(img, 0xcc) // int3
	}
	return img
}

// Redirect lets the function of call nr in img, an Image or longer, go on at the
// address to, below 2 GiB, with the arguments that it got and which in ecx.
func Redirect(img []byte, nr, which, to uint32) {
	old := stub(nr)
	le := binary.LittleEndian
	b := append([]byte{}, old[:4]...)           // endbr64
	b = le.AppendUint32(append(b, 0xb9), which) // mov $which, %ecx
	b = le.AppendUint32(append(b, 0xb8), to)    // mov $to, %eax
	b = append(b, 0xff, 0xe0)                   // jmp *%rax
	copy(img[bytes.Index(img, old[:]):], b)
}
