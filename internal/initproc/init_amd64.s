#include "textflag.h"

// The whole text of the guest's pid 1. It runs without the Go runtime: it is
// copied out of this binary into an ELF file of its own (image.go), so it must
// be movable and reach data only through the absolute address of the
// parameter block (params.go). image_test.go checks that.

#define PARAMS 0x600000

// Offsets into the parameter block; see params.go.
#define P_CTL     0
#define P_LASTPID 8
#define P_UID     16
#define P_GID     24
#define P_NGROUPS 32
#define P_FLAGS   40
#define P_CAPHDR  48
#define P_CAPCHILD 56
#define P_CAPINIT 80
#define P_ONE     104
#define P_NAME    112
#define P_SIGDFL  120
#define P_SIGIGN  152
#define P_SIGMASK 184
#define P_MSG     192
#define P_ONELEN  224
#define P_FIRST   232
#define P_STEP    240
#define P_STEPEND 248
#define P_GROUPS  256

// Offsets in a step of the script; see script.go.
#define S_NR      0
#define S_ARGS    8
#define S_FROM    56
#define S_SAVE    64
#define S_ALLOW   72
#define S_SKIP    80
#define S_UNLESS  88
#define S_LEAST   96
#define S_THEN    104
#define S_SIZE    112

// func code()
TEXT ·code(SB),NOSPLIT|NOFRAME,$0-0
	MOVQ $PARAMS, BX

	// prctl(PR_SET_NAME, "init")
	MOVQ $157, AX
	MOVQ $15, DI
	LEAQ P_NAME(BX), SI
	SYSCALL

	// rt_sigaction(SIGCHLD, SIG_IGN): the kernel reaps orphans by itself.
	MOVQ $13, AX
	MOVQ $17, DI
	LEAQ P_SIGIGN(BX), SI
	XORQ DX, DX
	MOVQ $8, R10
	SYSCALL

	// The script (script.go): R12 is the step.
	MOVQ P_STEP(BX), R12
step:
	CMPQ R12, P_STEPEND(BX)
	JCC  free
	MOVQ S_UNLESS(R12), AX
	MOVQ (AX), AX
	TESTQ AX, AX
	JLT  next
	MOVQ S_FROM(R12), R14
	MOVQ S_ARGS(R12), DI
	TESTQ $1, R14
	JEQ  arg1
	MOVQ (DI), DI
arg1:
	MOVQ (S_ARGS+8)(R12), SI
	TESTQ $2, R14
	JEQ  arg2
	MOVQ (SI), SI
arg2:
	MOVQ (S_ARGS+16)(R12), DX
	MOVQ (S_ARGS+24)(R12), R10
	MOVQ (S_ARGS+32)(R12), R8
	MOVQ (S_ARGS+40)(R12), R9
	MOVQ S_NR(R12), AX
	SYSCALL
	MOVQ S_SAVE(R12), CX
	MOVQ AX, (CX)
	CMPQ AX, S_LEAST(R12)
	JGE  then

	// An error that the step allows?
	MOVQ AX, CX
	NEGQ CX
	MOVQ S_ALLOW(R12), DX
allow:
	TESTQ DX, DX
	JEQ  failed
	MOVWLZX DX, R8
	SHRQ $16, DX
	CMPQ R8, CX
	JNE  allow
	ADDQ S_SKIP(R12), R12
	JMP  next
then:
	ADDQ S_THEN(R12), R12
next:
	ADDQ $S_SIZE, R12
	JMP  step
failed:
	// Steps of the script are told by their offset; see steps.go.
	MOVQ R12, R13
	SUBQ P_STEP(BX), R13
	ADDQ $0x100000, R13
	JMP  fail

free:
	// pwrite64(lastpid, "1"): the next fork makes pid 2 (Params.FirstPid).
	MOVQ $2, R13
	MOVQ $18, AX
	MOVQ P_LASTPID(BX), DI
	LEAQ P_ONE(BX), SI
	MOVQ P_ONELEN(BX), DX
	XORQ R10, R10
	SYSCALL
	CMPQ AX, P_ONELEN(BX)
	JNE  fail

	// clone(SIGCHLD)
	MOVQ $3, R13
	MOVQ $56, AX
	MOVQ $17, DI
	XORQ SI, SI
	XORQ DX, DX
	XORQ R10, R10
	XORQ R8, R8
	SYSCALL
	TESTQ AX, AX
	JEQ  child
	CMPQ AX, P_FIRST(BX)
	JNE  fail

	// capset: keep only what writing ns_last_pid needs.
	MOVQ $4, R13
	MOVQ $126, AX
	LEAQ P_CAPHDR(BX), DI
	LEAQ P_CAPINIT(BX), SI
	SYSCALL
	TESTQ AX, AX
	JNE  fail

	// close_range(0, 2): pid 1 must not hold the guest's pipes open.
	MOVQ $436, AX
	XORQ DI, DI
	MOVQ $2, SI
	XORQ DX, DX
	SYSCALL

loop:
	// read(ctl): end of file means that the supervisor is gone.
	XORQ AX, AX
	MOVQ P_CTL(BX), DI
	LEAQ P_MSG(BX), SI
	MOVQ $32, DX
	SYSCALL
	CMPQ AX, $-4
	JEQ  loop
	TESTQ AX, AX
	JLE  quit

	// pwrite64(lastpid, message)
	MOVQ AX, DX
	MOVQ $18, AX
	MOVQ P_LASTPID(BX), DI
	LEAQ P_MSG(BX), SI
	XORQ R10, R10
	SYSCALL

	// write(ctl, 'L' + result)
	MOVQ $0x4c, P_MSG(BX)
	MOVQ AX, (P_MSG+8)(BX)
	MOVQ $1, AX
	MOVQ P_CTL(BX), DI
	LEAQ P_MSG(BX), SI
	MOVQ $16, DX
	SYSCALL
	JMP  loop

quit:
	XORQ DI, DI
	MOVQ $231, AX
	SYSCALL

child:
	// rt_sigaction(1..64, SIG_DFL); KILL and STOP refuse, rightly.
	MOVQ $1, R12
signal:
	MOVQ $13, AX
	MOVQ R12, DI
	LEAQ P_SIGDFL(BX), SI
	XORQ DX, DX
	MOVQ $8, R10
	SYSCALL
	INCQ R12
	CMPQ R12, $64
	JLE  signal

	// rt_sigprocmask(SIG_SETMASK, empty)
	MOVQ $14, AX
	MOVQ $2, DI
	LEAQ P_SIGMASK(BX), SI
	XORQ DX, DX
	MOVQ $8, R10
	SYSCALL

	// setsid()
	MOVQ $5, R13
	MOVQ $112, AX
	SYSCALL
	CMPQ AX, P_FIRST(BX)
	JNE  fail

	// prctl(PR_CAPBSET_DROP, CAP_CHECKPOINT_RESTORE)
	MOVQ $6, R13
	MOVQ $157, AX
	MOVQ $24, DI
	MOVQ $40, SI
	XORQ DX, DX
	XORQ R10, R10
	XORQ R8, R8
	SYSCALL
	TESTQ AX, AX
	JNE  fail

	// capset
	MOVQ $4, R13
	MOVQ $126, AX
	LEAQ P_CAPHDR(BX), DI
	LEAQ P_CAPCHILD(BX), SI
	SYSCALL
	TESTQ AX, AX
	JNE  fail

	// setgroups, unless the user namespace forbids it
	MOVQ P_FLAGS(BX), AX
	TESTQ $1, AX
	JEQ  setids
	MOVQ $7, R13
	MOVQ $116, AX
	MOVQ P_NGROUPS(BX), DI
	LEAQ P_GROUPS(BX), SI
	SYSCALL
	TESTQ AX, AX
	JNE  fail

setids:
	// setresgid, setresuid: a uid other than 0 loses the capabilities here.
	MOVQ $8, R13
	MOVQ $119, AX
	MOVQ P_GID(BX), DI
	MOVQ DI, SI
	MOVQ DI, DX
	SYSCALL
	TESTQ AX, AX
	JNE  fail
	MOVQ $9, R13
	MOVQ $117, AX
	MOVQ P_UID(BX), DI
	MOVQ DI, SI
	MOVQ DI, DX
	SYSCALL
	TESTQ AX, AX
	JNE  fail

	// close(lastpid), fcntl(ctl, F_SETFD, FD_CLOEXEC)
	MOVQ $3, AX
	MOVQ P_LASTPID(BX), DI
	SYSCALL
	MOVQ $72, AX
	MOVQ P_CTL(BX), DI
	MOVQ $2, SI
	MOVQ $1, DX
	SYSCALL

	// write(ctl, 'G'): the supervisor learns our global pid from the
	// credentials of this message. Nothing may follow it but waiting.
	MOVQ $0x47, P_MSG(BX)
	MOVQ $0, (P_MSG+8)(BX)
	MOVQ $1, AX
	MOVQ P_CTL(BX), DI
	LEAQ P_MSG(BX), SI
	MOVQ $16, DX
	SYSCALL
park:
	// pause(): the supervisor takes over by ptrace.
	MOVQ $34, AX
	SYSCALL
	JMP  park

fail:
	// write(ctl, 'E' + step + result), exit_group(1)
	SHLQ $32, R13
	ADDQ $0x45, R13
	MOVQ R13, P_MSG(BX)
	MOVQ AX, (P_MSG+8)(BX)
	MOVQ $1, AX
	MOVQ P_CTL(BX), DI
	LEAQ P_MSG(BX), SI
	MOVQ $16, DX
	SYSCALL
	MOVQ $231, AX
	MOVQ $1, DI
	SYSCALL

	// The end mark that image.go looks for; never executed.
	BYTE $0x0f; BYTE $0x0b; BYTE $0x64; BYTE $0x74
	BYTE $0x2d; BYTE $0x65; BYTE $0x6e; BYTE $0x64
	RET

// func codeAddr() *byte
TEXT ·codeAddr(SB),NOSPLIT,$0-8
	LEAQ ·code(SB), AX
	MOVQ AX, ret+0(FP)
	RET
