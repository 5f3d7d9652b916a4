#include "textflag.h"

// Offsets in siginfo_t and ucontext_t (asm/siginfo.h, asm/sigcontext.h).
#define SI_CODE 8
#define UC_RDX  136
#define UC_RAX  144
#define UC_RCX  152
#define UC_RIP  168

#define SI_KERNEL 0x80 // what a fault that has no address is sent with

// The handler of SIGSEGV, with the C calling convention, on the stack for
// signals: DI signal, SI siginfo_t, DX ucontext_t. At rdtsc and rdtscp it says a
// number that grows, and goes on behind the instruction. All else is the
// runtime's.
TEXT ·handler(SB),NOSPLIT|NOFRAME,$0-0
	CMPL SI_CODE(SI), $SI_KERNEL
	JNE  other
	MOVQ UC_RIP(DX), AX
	CMPB 0(AX), $0x0f
	JNE  other
	MOVL $2, CX
	CMPB 1(AX), $0x31
	JEQ  answer
	CMPB 1(AX), $0x01
	JNE  other
	CMPB 2(AX), $0xf9
	JNE  other
	MOVL $3, CX
	MOVQ $0, UC_RCX(DX)

answer:
	ADDQ CX, UC_RIP(DX)
	MOVL $1000, AX
	LOCK
	XADDQ AX, ·count(SB)
	MOVL AX, CX
	MOVQ CX, UC_RAX(DX)
	SHRQ $32, AX
	MOVQ AX, UC_RDX(DX)
	RET

other:
	MOVQ ·next(SB), AX
	JMP  AX

// func handlerAddr() uintptr
TEXT ·handlerAddr(SB),NOSPLIT,$0-8
	LEAQ ·handler(SB), AX
	MOVQ AX, ret+0(FP)
	RET
