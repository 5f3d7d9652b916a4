#include "go_asm.h"
#include "textflag.h"

// The region's code (layout.go). It is copied out of this binary to
// fastpath.Base, so it must be movable and reach data only through absolute
// addresses; code_test.go checks that.
//
// A stub comes here with the registers of a system call: AX number, DI, SI, DX,
// R10, R8, R9 arguments, CX the stub's address. CX and R11 are free, as the
// instruction clobbers them. Everything else is kept, the flags too.

#define STATE const_State
#define CLASS (const_Base+const_classOffset)
#define EMPTY (CLASS-8) // an empty string: the rest of the code's pages is zero

// Offsets in the state.
#define BUDGET    0
#define SERVED    8
#define SAVED_SP  16
#define SAVED_CX  24
#define SAVED_AX  32
#define FUSEDEV   40
#define TREEDEV   48
#define IMAGEINO  56
#define VOLUMEINO 64
#define NOOPEN    72
#define SAVED_R8  80
#define SAVED_SI  88
#define SAVED_DX  96
#define SAVED_R10 104
#define FUSEMINOR 112
#define SAVED_CLASS 120
#define TSC       128
#define TICK      136
#define VALUE     160
#define SAVED_DI  176
#define NOW       208
#define CHANGED   216
#define SAVED_R9  224
#define CPU       232
#define NOCHILD   240
#define RANDOMPOS 248
#define ALONE     0x278
#define STILL     const_offStill
#define SEGVSET   0x280
#define SEGV      0x288 // struct sigaction of the kernel
#define RANDOM    0x2c0 // eight words
#define NULLDEV   0x240
#define NULLINO   0x248
#define EPOCH     0x250 // seconds and nanoseconds
#define TEXTS     (const_Base+const_tableOffset) // five words each: inode, address, size, offset, offset of the copy
#define PATH      (const_Base+const_pathOffset)
#define ACCESS    0x180fb0 // names of attributes
#define DEFAULT   0x180fd0
#define FUTEXES   0x300
#define FUTEX     0x400 // sixteen of address and count
#define WAKES     0x350
#define WAKE      0x358 // eight of address and count
#define STDIO0    184
#define STDIO1    192
#define STDIO2    200
#define STATXBUF  0x100
#define KINDS     0x600 // of descriptors; see descriptors.go
#define KINDS_LEN 256
#define KNOWN     0x700 // how many of KINDS are in use
#define ASKED     0x708
#define MEMTOTAL  0x710
#define MEMFREE   0x718
#define PIPE      255 // what neither File nor List is about
#define POLLFD    0x200
#define FLAGS     0xff8
#define TOP       0x1000

// Offsets in a stub: the call that stops, and what follows it.
#define STUB_LEAVE 16
#define STUB_DONE  18
#define STUB_SECOND 64
#define VFORKS const_Vforks // the first of its stubs

// Offsets in struct stat (asm/stat.h).
#define ST_DEV    0
#define ST_INO    8
#define ST_MODE   24
#define ST_NLINK  16
#define ST_UID    28
#define ST_RDEV   40
#define ST_SIZE   48
#define ST_BLKSIZE 56
#define ST_BLOCKS 64
#define ST_TIMES  72

// Offsets in struct statx (linux/stat.h).
#define STX_MODE  28
#define STX_INO   32
#define STX_MAJOR 136
#define STX_MINOR 140

// func code()
TEXT ·code(SB),NOSPLIT|NOFRAME,$0-0
	MOVL $STATE, R11
	MOVQ SP, SAVED_SP(R11)
	LEAQ TOP(R11), SP
	BYTE $0x9c // pushfq
	MOVQ CX, SAVED_CX(R11)
	MOVQ AX, SAVED_AX(R11)
	CMPQ AX, $512
	JCC  leave
	MOVL $CLASS, CX
	MOVBLZX (CX)(AX*1), CX
	CMPL CX, $const_Close
	JCC  forget
	MOVQ SERVED(R11), AX
	CMPQ AX, BUDGET(R11)
	JCC  leave
	MOVQ SAVED_AX(R11), AX
	CMPL CX, $const_File
	JEQ  file
	CMPL CX, $const_StatDX
	JEQ  stat3
	CMPL CX, $const_Open
	JEQ  open
	CMPL CX, $const_Plain
	JEQ  plain
	CMPL CX, $const_LinkDX
	JEQ  link3
	CMPL CX, $const_StatSI
	JEQ  stat2
	CMPL CX, $const_LinkSI
	JEQ  link2
	CMPL CX, $const_List
	JEQ  file
	CMPL CX, $const_Clock
	JEQ  clock
	CMPL CX, $const_TimeOfDay
	JEQ  timeofday
	CMPL CX, $const_Time
	JEQ  time
	CMPL CX, $const_Map
	JEQ  map
	CMPL CX, $const_Futex
	JEQ  futex
	CMPL CX, $const_GetCPU
	JEQ  getcpu
	CMPL CX, $const_Fails
	JEQ  fails
	CMPL CX, $const_Terminal
	JEQ  terminal
	CMPL CX, $const_Random
	JEQ  random
	CMPL CX, $const_Segv
	JEQ  segv
	CMPL CX, $const_WaitNone
	JEQ  wait
	CMPL CX, $const_OwnerSI
	JEQ  owner2
	CMPL CX, $const_OwnerDX
	JEQ  owner3
	CMPL CX, $const_Xattr
	JEQ  xattr
	CMPL CX, $const_Yield
	JEQ  yield
	CMPL CX, $const_Birth
	JEQ  birth
	CMPL CX, $const_Sysinfo
	JEQ  sysinfo
	CMPL CX, $const_Vfork
	JEQ  vfork

leave:
	MOVL $STATE, R11
	MOVQ SAVED_AX(R11), AX
	MOVQ SAVED_CX(R11), CX
	BYTE $0x9d // popfq
	MOVQ SAVED_SP(R11), SP
gone:
	LEAQ STUB_LEAVE(CX), CX
	JMP  CX

	// Opening a FIFO may wait for its other end. The supervisor interrupts the
	// open that finds the first one in an image, and has counted it.
open:
	CMPQ NOOPEN(R11), $0
	JNE  leave
	INCQ SERVED(R11)
	SYSCALL
	MOVL $STATE, R11
	CMPQ AX, $-512 // ERESTARTSYS
	JEQ  leave
	JMP  finish

	// The file system server takes the time of a change from SERVED: this
	// call counts before it is made.
plain:
	INCQ SERVED(R11)
	SYSCALL
finish:
	MOVL $STATE, R11
	MOVQ SAVED_CX(R11), CX
	BYTE $0x9d // popfq
	MOVQ SAVED_SP(R11), SP
	MOVQ FLAGS(R11), R11
done:
	LEAQ STUB_DONE(CX), CX
	JMP  CX

	// chown: to owners that the kernel knows (kernel.sysChown), or -1, which keeps.
owner2:
	MOVL SI, CX
	INCL CX
	CMPL CX, $65536
	JHI  leave
	MOVL DX, CX
	INCL CX
	CMPL CX, $65536
	JHI  leave
	JMP  plain
owner3:
	MOVL DX, CX
	INCL CX
	CMPL CX, $65536
	JHI  leave
	MOVL R10, CX
	INCL CX
	CMPL CX, $65536
	JHI  leave
	JMP  plain

	// stat: the fields that kernel.normaliseTree corrects. A call that leaves
	// after it was made is made again, so its path must not reach into its buffer.
stat2:
	MOVQ R8, SAVED_R8(R11)
	MOVQ SI, R8
	MOVQ DI, CX
	JMP  stat
stat3:
	MOVQ R8, SAVED_R8(R11)
	MOVQ DX, R8
	MOVQ SI, CX
stat:
	SUBQ R8, CX
	CMPQ CX, $144
	JCS  other
	CMPQ CX, $-4095
	JCC  near
getattr:
	SYSCALL
	MOVL $STATE, R11
	CMPQ AX, $-14 // EFAULT: the beginning may have been written
	JEQ  other
	TESTQ AX, AX
	JNE  counted
	MOVQ ST_DEV(R8), CX
	CMPQ CX, FUSEDEV(R11)
	JNE  null
	MOVQ ST_INO(R8), CX
	CMPQ CX, IMAGEINO(R11)
	JCC  main
	CMPQ CX, VOLUMEINO(R11)
	JCC  other
main:
	MOVQ TREEDEV(R11), CX
	MOVQ CX, ST_DEV(R8)
	MOVQ ST_BLOCKS(R8), CX // detfs.PackBlocks: uid<<32 | gid
	ROLQ $32, CX
	MOVQ CX, ST_UID(R8)    // st_uid, st_gid
	MOVL ST_MODE(R8), CX
	ANDL $0xf000, CX
	CMPL CX, $0x8000
	JEQ  blocks
	CMPL CX, $0x4000
	JEQ  blocks
	MOVQ $0, ST_BLOCKS(R8)
	JMP  counted
blocks:
	MOVQ ST_SIZE(R8), CX
	ADDQ $4095, CX
	SHRQ $12, CX
	SHLQ $3, CX
	MOVQ CX, ST_BLOCKS(R8)
counted:
	INCQ SERVED(R11)
	MOVQ SAVED_R8(R11), R8
	JMP  finish
other:
	MOVQ SAVED_R8(R11), R8
	JMP  leave

	// /dev/null: a node of the host's /dev, all fields of which are fixed
	// (kernel.normalise).
null:
	MOVL ST_MODE(R8), CX
	ANDL $0xf000, CX
	CMPL CX, $0x2000
	JNE  other
	CMPQ ST_RDEV(R8), $0x103
	JNE  other
	MOVQ NULLDEV(R11), CX
	MOVQ CX, ST_DEV(R8)
	MOVQ NULLINO(R11), CX
	MOVQ CX, ST_INO(R8)
	MOVQ $1, ST_NLINK(R8)
	MOVQ $0, ST_UID(R8) // st_gid too
	MOVQ $0, ST_SIZE(R8)
	MOVQ $4096, ST_BLKSIZE(R8)
	MOVQ $0, ST_BLOCKS(R8)
	MOVQ EPOCH(R11), CX
	MOVQ CX, ST_TIMES(R8)
	MOVQ CX, ST_TIMES+16(R8)
	MOVQ CX, ST_TIMES+32(R8)
	MOVQ EPOCH+8(R11), CX
	MOVQ CX, ST_TIMES+8(R8)
	MOVQ CX, ST_TIMES+24(R8)
	MOVQ CX, ST_TIMES+40(R8)
	JMP  counted

	// statfs: mostly fails, before the buffer is looked at, and only such errors are
	// the kernel's. Else it is made again, so nothing is written to the guest's.
fails:
	MOVQ SI, SAVED_SI(R11)
	LEAQ STATXBUF(R11), SI
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_SI(R11), SI
	CMPQ AX, $-14
	JEQ  leave
	TESTQ AX, AX
	JGE  leave
	INCQ SERVED(R11)
	JMP  finish

	// ioctl: what asks whether this is a terminal, where it is none. TIOCGPGRP and
	// TIOCGWINSZ.
terminal:
	CMPL SI, $0x540f
	JEQ  ask
	CMPL SI, $0x5413
	JNE  leave
ask:
	SYSCALL
	MOVL $STATE, R11
	CMPQ AX, $-25 // ENOTTY
	JNE  leave
	INCQ SERVED(R11)
	JMP  finish

	// getrandom: of 8 bytes, which every process wants that uses malloc. A store
	// may fault: the kernel is made to store first.
random:
	CMPQ SI, $8
	JNE  leave
	TESTQ DI, DI // no mask is stored there, and that is no error
	JEQ  leave
	CMPQ DX, $1 // GRND_NONBLOCK
	JHI  leave
	CMPQ RANDOMPOS(R11), $8
	JCC  leave
	MOVQ DI, SAVED_DI(R11)
	MOVQ DX, SAVED_DX(R11)
	MOVQ R10, SAVED_R10(R11)
	MOVQ R8, SAVED_R8(R11)
	MOVQ DI, R8
	MOVQ DI, DX
	XORL DI, DI
	XORL SI, SI
	MOVL $8, R10
	MOVL $14, AX // rt_sigprocmask
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_DI(R11), DI
	MOVL $8, SI
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R10(R11), R10
	TESTQ AX, AX
	JNE  other
	MOVQ RANDOMPOS(R11), CX
	INCQ RANDOMPOS(R11)
	MOVQ RANDOM(R11)(CX*8), CX
	MOVQ CX, (R8)
	MOVL $8, AX
	JMP  counted

	// rt_sigaction of SIGSEGV: noted for the supervisor, which looks at it before
	// any other thread runs. Not an event.
segv:
	CMPL DI, $11
	JNE  leave
	CMPQ R10, $8
	JNE  leave
	TESTQ SI, SI
	JEQ  leave
	CMPQ SEGVSET(R11), $0
	JNE  leave
	MOVQ DX, CX // the old one may be stored over the new
	SUBQ SI, CX
	ADDQ $31, CX
	CMPQ CX, $62
	JLS  leave
	SYSCALL
	MOVL $STATE, R11
	TESTQ AX, AX
	JNE  leave
	MOVQ R8, SAVED_R8(R11)
	MOVQ SI, R8
	MOVQ (R8), CX
	MOVQ CX, SEGV(R11)
	MOVQ 8(R8), CX
	MOVQ CX, SEGV+8(R11)
	MOVQ 16(R8), CX
	MOVQ CX, SEGV+16(R11)
	MOVQ 24(R8), CX
	MOVQ CX, SEGV+24(R11)
	MOVQ $1, SEGVSET(R11)
	MOVQ SAVED_R8(R11), R8
	JMP  finish

	// wait4: for any child or one, where there is none.
wait:
	CMPQ NOCHILD(R11), $0
	JEQ  leave
	TESTL $0xfffffff4, DX // WNOHANG, WUNTRACED, WCONTINUED
	JNE  leave
	CMPL DI, $-1
	JEQ  childless
	TESTL DI, DI
	JLE  leave
childless:
	MOVQ $-10, AX // ECHILD
	INCQ SERVED(R11)
	JMP  finish

	// sched_yield: where nobody can have the turn, and nobody was woken since that
	// was said.
yield:
	CMPQ ALONE(R11), $0
	JEQ  leave
	CMPQ WAKES(R11), $0
	JNE  leave
	INCQ SERVED(R11)
	XORL AX, AX
	JMP  finish

	// sysinfo: written by the kernel, so that it can be, and then by kernel.sysSysinfo's
	// rules. What failed is done again: it may have been written in part.
sysinfo:
	SYSCALL
	MOVL $STATE, R11
	TESTQ AX, AX
	JNE  leave
	INCQ SERVED(R11)
	MOVQ SERVED(R11), AX
	IMULQ TICK(R11), AX
	ADDQ TSC(R11), AX
	MOVQ DX, SAVED_DX(R11)
	XORL DX, DX
	MOVL $1000000000, CX
	DIVQ CX
	MOVQ SAVED_DX(R11), DX
	MOVL $104, CX
zeros:
	MOVQ $0, (DI)(CX*1)
	SUBL $8, CX
	JNE  zeros
	MOVQ AX, (DI)
	MOVQ MEMTOTAL(R11), AX
	MOVQ AX, 32(DI)
	MOVQ MEMFREE(R11), AX
	MOVQ AX, 40(DI)
	MOVB $64, 80(DI) // processes
	XORL AX, AX
	MOVB $1, 104(DI) // the unit
	JMP  finish

	// readlink: names of kernel objects ("pipe:[7]", "/memfd:") hold a colon.
link2:
	MOVQ R8, SAVED_R8(R11)
	MOVQ SI, R8
	MOVQ DI, CX
	SUBQ R8, CX
	CMPQ CX, DX
	JCS  other
	CMPQ CX, $-4095
	JCC  near
	JMP  link
link3:
	MOVQ R8, SAVED_R8(R11)
	MOVQ DX, R8
	MOVQ SI, CX
	SUBQ R8, CX
	CMPQ CX, R10
	JCS  other
	CMPQ CX, $-4095
	JCC  near
link:
	SYSCALL
	MOVL $STATE, R11
	CMPQ AX, $-14
	JEQ  other
	MOVQ AX, CX
scan:
	TESTQ CX, CX
	JLE  counted
	CMPB -1(R8)(CX*1), $58
	JEQ  other
	DECQ CX
	JMP  scan

	// The path of one of these begins less than PATH_MAX before its buffer: does it
	// end there, too? Whether it can be read at all symlink(2) tells, which reads its
	// first path before it refuses an empty second.
near:
	ADDQ R8, CX
	MOVQ DI, SAVED_DI(R11)
	MOVQ SI, SAVED_SI(R11)
	MOVQ CX, DI
	MOVL $EMPTY, SI
	MOVL $88, AX // symlink
	SYSCALL
	MOVL $STATE, R11
	MOVQ DI, CX
	MOVQ SAVED_DI(R11), DI
	MOVQ SAVED_SI(R11), SI
	CMPQ AX, $-14
	JEQ  other
path:
	CMPB (CX), $0
	JEQ  ends
	INCQ CX
	CMPQ CX, R8
	JNE  path
	JMP  other
ends:
	MOVQ SAVED_AX(R11), AX
	CMPQ AX, $89 // readlink
	JEQ  link
	CMPQ AX, $267 // readlinkat
	JEQ  link
	JMP  getattr

	// close, dup2 and dup3, close_range: descriptors become free, or others. They are
	// no events.
forget:
	JNE  others
	MOVL DI, CX
	JMP  drop
others:
	CMPL CX, $const_Onto
	JNE  range
	MOVL SI, CX
drop:
	CMPL CX, $KINDS_LEN
	JCC  made
	MOVB $0, KINDS(R11)(CX*1)
	JMP  made
range:
	MOVL $KINDS_LEN, CX
empty:
	MOVQ $0, KINDS-8(R11)(CX*1)
	SUBL $8, CX
	JNE  empty
made:
	SYSCALL
	JMP  finish

	// Regular files of our file system, for class 8 directories, and pipes; others
	// may block or hold what is the host's. If it is not known yet, their type is asked
	// with AT_STATX_DONT_SYNC: reads and writes make the kernel forget the times, and
	// fstat would ask the server for them.
file:
	MOVL DI, AX
	CMPL AX, KNOWN(R11)
	JCC  unknown
	MOVBLZX KINDS(R11)(AX*1), AX
	CMPL AX, CX
	JEQ  known
	CMPL AX, $PIPE
	JEQ  fifo
unknown:
	INCQ ASKED(R11)
	MOVQ CX, SAVED_CLASS(R11)
	MOVQ SI, SAVED_SI(R11)
	MOVQ DX, SAVED_DX(R11)
	MOVQ R10, SAVED_R10(R11)
	MOVQ R8, SAVED_R8(R11)
	MOVL $332, AX // statx
	MOVL $EMPTY, SI
	MOVL $0x5000, DX // AT_EMPTY_PATH, AT_STATX_DONT_SYNC
	MOVL $1, R10 // STATX_TYPE
	LEAQ STATXBUF(R11), R8
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_SI(R11), SI
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R10(R11), R10
	MOVQ SAVED_R8(R11), R8
	TESTQ AX, AX
	JNE  leave
	MOVWLZX STATXBUF+STX_MODE(R11), CX
	ANDL $0xf000, CX
	CMPL CX, $0x1000
	JEQ  pipe
	CMPL STATXBUF+STX_MAJOR(R11), $0
	JNE  leave
	MOVL STATXBUF+STX_MINOR(R11), AX
	CMPQ AX, FUSEMINOR(R11)
	JNE  leave
	MOVL $0x8000, AX
	CMPQ SAVED_CLASS(R11), $const_List
	JNE  typed
	MOVL $0x4000, AX
typed:
	CMPL CX, AX
	JNE  leave
	MOVL DI, CX
	CMPL CX, KNOWN(R11)
	JCC  known
	MOVL SAVED_CLASS(R11), AX
	MOVB AX, KINDS(R11)(CX*1)
known:
	MOVQ SAVED_AX(R11), AX
	JMP  plain

	// Pipes, but for those to the host: a read that finds something or the end,
	// and a write for which there is a free page, do not wait.
pipe:
	MOVQ STATXBUF+STX_INO(R11), CX
	CMPQ CX, STDIO0(R11)
	JEQ  leave
	CMPQ CX, STDIO1(R11)
	JEQ  leave
	CMPQ CX, STDIO2(R11)
	JEQ  leave
	MOVL DI, CX
	CMPL CX, KNOWN(R11)
	JCC  fifo
	MOVB $PIPE, KINDS(R11)(CX*1)
fifo:
	MOVQ SAVED_AX(R11), AX
	MOVL DI, POLLFD(R11)
	MOVL $1, CX // POLLIN
	TESTQ AX, AX // read
	JEQ  poll
	CMPQ AX, $1 // write
	JNE  leave
	CMPQ DX, $4096
	JHI  leave
	MOVL $4, CX // POLLOUT
poll:
	MOVL CX, POLLFD+4(R11) // events, and no revents
	MOVQ DI, SAVED_DI(R11)
	MOVQ SI, SAVED_SI(R11)
	MOVQ DX, SAVED_DX(R11)
	LEAQ POLLFD(R11), DI
	MOVL $1, SI
	XORL DX, DX
	MOVL $7, AX // poll
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_DI(R11), DI
	MOVQ SAVED_SI(R11), SI
	MOVQ SAVED_DX(R11), DX
	CMPQ AX, $1
	JNE  leave
	MOVQ SAVED_AX(R11), AX
	MOVWLZX POLLFD+6(R11), CX
	CMPL CX, $1 // POLLIN
	JEQ  plain
	CMPL CX, $4 // POLLOUT
	JEQ  plain
	CMPL CX, $0x10 // POLLHUP: the end
	JEQ  plain
	CMPL CX, $0x11 // what is left, then the end
	JEQ  plain
	JMP  leave

	// clock_gettime: CLOCK_REALTIME and its COARSE are NOW, MONOTONIC, its RAW and
	// COARSE, and BOOTTIME count from the boot, as the time stamp counter does.
clock:
	CMPL DI, $7
	JHI  leave
	MOVQ CX, SAVED_CLASS(R11)
	MOVL $0x21, AX
	BTL  DI, AX
	JCS  real
	MOVL $0xd2, AX
	BTL  DI, AX
	JCC  leave
	MOVQ R8, SAVED_R8(R11)
	MOVQ SI, R8
	MOVQ TSC(R11), AX
	JMP  put
real:
	MOVQ R8, SAVED_R8(R11)
	MOVQ SI, R8
	MOVQ NOW(R11), AX
	JMP  put

timeofday:
	TESTQ SI, SI
	JNE  leave
	TESTQ DI, DI
	JEQ  leave
	MOVQ CX, SAVED_CLASS(R11)
	MOVQ R8, SAVED_R8(R11)
	MOVQ DI, R8
	MOVQ NOW(R11), AX

	// A store may fault where the kernel's would say EFAULT. The rest of the
	// stack's page is there; else the kernel is made to store first.
put:
	MOVQ SAVED_SP(R11), CX
	CMPQ R8, CX
	JCS  probe
	ORQ  $4095, CX
	SUBQ $15, CX
	CMPQ R8, CX
	JHI  probe
store:
	MOVQ SERVED(R11), CX
	INCQ CX
	MOVQ CX, SERVED(R11)
	IMULQ TICK(R11), CX
	ADDQ CX, AX
	MOVQ DX, SAVED_DX(R11)
	XORL DX, DX
	MOVL $1000000000, CX
	DIVQ CX
	MOVQ AX, (R8)
	CMPQ SAVED_CLASS(R11), $const_TimeOfDay
	JNE  fraction
	MOVL DX, AX
	XORL DX, DX
	MOVL $1000, CX
	DIVL CX
	MOVL AX, DX
fraction:
	MOVQ DX, 8(R8)
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R8(R11), R8
	XORL AX, AX
	JMP  finish
probe:
	MOVQ AX, VALUE(R11)
	MOVQ DI, SAVED_DI(R11)
	MOVQ SI, SAVED_SI(R11)
	MOVQ DX, SAVED_DX(R11)
	MOVQ R10, SAVED_R10(R11)
	XORL DI, DI
	XORL SI, SI
	MOVQ R8, DX
	MOVL $8, R10
	MOVL $14, AX // rt_sigprocmask
	SYSCALL
	MOVL $STATE, R11
	TESTQ AX, AX
	JNE  probed
	ADDQ $8, DX
	MOVL $14, AX
	SYSCALL
	MOVL $STATE, R11
	TESTQ AX, AX
probed:
	MOVQ SAVED_DI(R11), DI
	MOVQ SAVED_SI(R11), SI
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R10(R11), R10
	MOVQ VALUE(R11), AX
	JEQ  store
	JMP  other

time:
	TESTQ DI, DI
	JNE  leave
	MOVQ SERVED(R11), CX
	INCQ CX
	MOVQ CX, SERVED(R11)
	IMULQ TICK(R11), CX
	MOVQ NOW(R11), AX
	ADDQ CX, AX
	MOVQ DX, SAVED_DX(R11)
	XORL DX, DX
	MOVL $1000000000, CX
	DIVQ CX
	MOVQ SAVED_DX(R11), DX
	JMP  finish

	// getcpu: the thread's CPU, of node 0. Where it is to be stored must be in what
	// is left of the stack's page, which is there.
getcpu:
	MOVQ SAVED_SP(R11), CX
	MOVQ CX, AX
	ORQ  $4095, AX
	SUBQ $3, AX
	TESTQ DI, DI
	JEQ  node
	CMPQ DI, CX
	JCS  leave
	CMPQ DI, AX
	JHI  leave
node:
	TESTQ SI, SI
	JEQ  tell
	CMPQ SI, CX
	JCS  leave
	CMPQ SI, AX
	JHI  leave
tell:
	INCQ SERVED(R11)
	TESTQ DI, DI
	JEQ  first
	MOVQ DI, CX
	MOVL CPU(R11), AX
	MOVL AX, (CX)
first:
	TESTQ SI, SI
	JEQ  told
	MOVQ SI, CX
	MOVL $0, (CX)
told:
	XORL AX, AX
	JMP  finish

	// mmap of text: the dynamic linker maps that of a library (_dl_map_segments, with
	// or without MAP_DENYWRITE). If there is a copy for this place, that is mapped.
map:
	CMPL DX, $1 // PROT_READ
	JEQ  shared
	CMPL DX, $5 // PROT_READ|PROT_EXEC
	JNE  leave
	MOVL R10, CX
	ANDL $0xfffff7ff, CX
	CMPL CX, $0x12 // MAP_PRIVATE|MAP_FIXED
	JNE  leave
	CMPQ CHANGED(R11), $0
	JNE  leave
	MOVL $TEXTS, CX
	CMPQ (CX), $0
	JEQ  leave
asks:
	MOVQ DI, SAVED_DI(R11)
	MOVQ SI, SAVED_SI(R11)
	MOVQ DX, SAVED_DX(R11)
	MOVQ R10, SAVED_R10(R11)
	MOVQ R8, SAVED_R8(R11)
	MOVQ R9, SAVED_R9(R11)
	MOVL R8, DI
	MOVL $332, AX // statx
	MOVL $EMPTY, SI
	MOVL $0x5000, DX // AT_EMPTY_PATH, AT_STATX_DONT_SYNC
	MOVL $0x101, R10 // STATX_TYPE, STATX_INO
	LEAQ STATXBUF(R11), R8
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_DI(R11), DI
	MOVQ SAVED_SI(R11), SI
	TESTQ AX, AX
	JNE  unmapped
	CMPL STATXBUF+STX_MAJOR(R11), $0
	JNE  unmapped
	MOVL STATXBUF+STX_MINOR(R11), CX
	CMPQ CX, FUSEMINOR(R11)
	JNE  unmapped
	CMPL SAVED_DX(R11), $1
	JEQ  readable
	MOVQ STATXBUF+STX_INO(R11), AX
	MOVL $TEXTS, CX
next:
	CMPQ (CX), $0
	JEQ  unmapped
	CMPQ (CX), AX
	JNE  other1
	CMPQ 32(CX), $0 // nothing to be replaced in this file
	JEQ  same
	CMPQ 8(CX), DI
	JNE  other1
	CMPQ 16(CX), SI
	JNE  other1
	CMPQ 24(CX), R9
	JEQ  found
other1:
	ADDQ $40, CX
	JMP  next
found:
	MOVQ 32(CX), R9
	MOVL $257, AX // openat
	MOVQ $-100, DI // AT_FDCWD
	MOVL $PATH, SI
	MOVL $0x80000, DX // O_RDONLY|O_CLOEXEC
	XORL R10, R10
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_DI(R11), DI
	MOVQ SAVED_SI(R11), SI
	TESTQ AX, AX
	JLT  unmapped
	MOVQ AX, R8
	MOVL $9, AX // mmap
	MOVL $5, DX
	MOVL $0x12, R10
	SYSCALL
	MOVL $STATE, R11
	MOVQ AX, VALUE(R11)
	MOVL R8, DI
	MOVL $3, AX // close
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_DI(R11), DI
	MOVQ VALUE(R11), AX
	CMPQ AX, DI
	JNE  unmapped
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R10(R11), R10
	MOVQ SAVED_R8(R11), R8
	MOVQ SAVED_R9(R11), R9
	JMP  finish
same:
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R10(R11), R10
	MOVQ SAVED_R8(R11), R8
	MOVQ SAVED_R9(R11), R9
	MOVL $9, AX // mmap
	SYSCALL
	JMP  finish

	// A file of ours to be read and shared (locales, caches of gconv), which stops
	// for what it may be instead.
shared:
	CMPQ R10, $1 // MAP_SHARED
	JNE  leave
	MOVQ SI, CX
	SHRQ $32, CX // kernel's largeMapping
	JEQ  asks
	JMP  leave
readable:
	MOVWLZX STATXBUF+STX_MODE(R11), CX
	ANDL $0xf000, CX
	CMPL CX, $0x8000
	JNE  unmapped
	INCQ SERVED(R11)
	JMP  same

unmapped:
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R10(R11), R10
	MOVQ SAVED_R8(R11), R8
	MOVQ SAVED_R9(R11), R9
	JMP  leave

	// futex: FUTEX_WAKE|FUTEX_PRIVATE_FLAG, where it is known who waits (futex.go).
futex:
	CMPL SI, $129
	JNE  leave
	TESTL $3, DI
	JNE  leave
	MOVQ DI, CX
	SHRQ $12, CX
	INCQ CX
	SHRQ $35, CX // from TASK_SIZE_MAX on
	JNE  leave
	CMPQ WAKES(R11), $8
	JCC  leave
	MOVQ FUTEXES(R11), CX
	CMPQ CX, $16
	JHI  leave
	XORL AX, AX
	MOVQ R8, SAVED_R8(R11)
	LEAQ FUTEX(R11), R8
waiter:
	DECQ CX
	JLT  nobody
	CMPQ (R8), DI
	JEQ  waits
	ADDQ $16, R8
	JMP  waiter
waits:
	MOVQ 8(R8), AX
	TESTQ AX, AX
	JEQ  nobody
	MOVL $1, CX // also where the argument is not positive
	CMPL DX, $1
	JLT  wakes
	MOVL DX, CX
wakes:
	CMPQ AX, CX
	JCS  all
	MOVQ CX, AX
all:
	SUBQ AX, 8(R8)
	MOVQ WAKES(R11), CX
	INCQ WAKES(R11)
	SHLQ $4, CX
	LEAQ WAKE(R11), R8
	ADDQ CX, R8
	MOVQ DI, (R8)
	MOVQ AX, 8(R8)
nobody:
	INCQ SERVED(R11)
	MOVQ SAVED_R8(R11), R8
	JMP  finish

	// clone: what fork(3) makes, of which the birth is the event. The child goes on here,
	// too, when others have used the state: from the call on there are registers only,
	// and the flags stay. Where nothing was born the supervisor is told why.
birth:
	TESTQ DX, DX // where the child's number would go: keeps the stub's address
	JNE  leave
	MOVQ DI, CX
	ANDQ $~0x1200000, CX // CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID
	CMPQ CX, $17         // SIGCHLD
	JNE  leave
	MOVQ SAVED_CX(R11), DX
	BYTE $0x9d // popfq
	MOVQ SAVED_SP(R11), SP
	SYSCALL
	MOVQ DX, CX
	CQO  // zeros DX, where all is well
	XCHGQ CX, DX
	JCXZQ born
	MOVL $STATE, R11
	MOVQ AX, STILL(R11)
	MOVL $56, AX
	XCHGQ CX, DX
	NOTQ DX // it was -1
	JMP  gone
born:
	XCHGQ CX, DX
	JMP  done

	// vfork: in the second half of the stub.
vfork:
	MOVQ SAVED_CX(R11), CX
	CMPL CX, $VFORKS
	JCS  leave
	BYTE $0x9d // popfq
	MOVQ SAVED_SP(R11), SP
	LEAQ STUB_SECOND(CX), CX
	JMP  CX

	// getxattr: the kernel believes that files of our file system have no attributes
	// that can be read (package fuse). So it is with access control lists, and all is said
	// where listxattr names none; else the supervisor knows. No event.
xattr:
	SYSCALL
	MOVL $STATE, R11
	CMPQ AX, $-95 // EOPNOTSUPP, not before the name was read
	JNE  finish
	MOVQ R8, SAVED_R8(R11)
	MOVL $ACCESS, CX
spell:
	MOVQ SI, R8
letter:
	MOVBLZX (CX), AX
	CMPB (R8), AX
	JNE  unlike
	INCQ R8
	INCQ CX
	TESTL AX, AX
	JNE  letter
	MOVQ SAVED_R8(R11), R8
	MOVQ $-95, AX
	JMP  finish
unlike:
	CMPL CX, $DEFAULT
	MOVL $DEFAULT, CX
	JCS  spell
	MOVQ DI, SAVED_DI(R11)
	MOVQ SI, SAVED_SI(R11)
	MOVQ DX, SAVED_DX(R11)
	MOVQ R10, SAVED_R10(R11)
	MOVL $0x5000, DX // AT_EMPTY_PATH, AT_STATX_DONT_SYNC
	MOVL $EMPTY, SI
	MOVQ SAVED_AX(R11), AX
	CMPL AX, $193 // fgetxattr
	JEQ  which
	MOVQ DI, SI
	MOVQ $-100, DI // AT_FDCWD
	MOVL $0x4000, DX
	CMPL AX, $191 // getxattr
	JEQ  which
	MOVL $0x4100, DX // AT_SYMLINK_NOFOLLOW
which:
	MOVL $332, AX // statx
	MOVL $1, R10 // STATX_TYPE
	LEAQ STATXBUF(R11), R8
	SYSCALL
	MOVL $STATE, R11
	MOVQ SAVED_DI(R11), DI
	XORL SI, SI
	XORL DX, DX
	TESTQ AX, AX
	JNE  asked
	MOVQ $-95, AX
	CMPL STATXBUF+STX_MAJOR(R11), $0
	JNE  answered
	MOVL STATXBUF+STX_MINOR(R11), CX
	CMPQ CX, FUSEMINOR(R11)
	JNE  answered
	MOVQ SAVED_AX(R11), AX
	ADDL $3, AX // listxattr, llistxattr, flistxattr
	SYSCALL
	MOVL $STATE, R11
	TESTQ AX, AX
	MOVQ $-61, AX // ENODATA
	JEQ  answered
asked:
	XORL AX, AX
answered:
	MOVQ SAVED_SI(R11), SI
	MOVQ SAVED_DX(R11), DX
	MOVQ SAVED_R10(R11), R10
	MOVQ SAVED_R8(R11), R8
	TESTQ AX, AX
	JNE  finish
	JMP  leave

	// The mark of the end; see text_unsafe.go.
	BYTE $0x0f; BYTE $0x0b
	BYTE $0x64; BYTE $0x74; BYTE $0x2d; BYTE $0x65; BYTE $0x6e; BYTE $0x64
	RET

// func codeAddr() *byte
TEXT ·codeAddr(SB),NOSPLIT,$0-8
	LEAQ ·code(SB), AX
	MOVQ AX, ret+0(FP)
	RET
