#include "textflag.h"

// The handler of a signal, on the stack for signals of any thread: it makes one
// system call and touches nothing else.
TEXT ·handler(SB),NOSPLIT|NOFRAME,$0-0
	// prctl(PR_SET_TIMERSLACK, Wide)
	MOVQ $157, AX
	MOVQ $29, DI
	MOVQ $2000000, SI
	SYSCALL
	RET

// What the handler returns to: rt_sigreturn(2).
TEXT ·restorer(SB),NOSPLIT|NOFRAME,$0-0
	MOVQ $15, AX
	SYSCALL
	INT  $3

// func handlerAddr() uintptr
TEXT ·handlerAddr(SB),NOSPLIT,$0-8
	LEAQ ·handler(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func restorerAddr() uintptr
TEXT ·restorerAddr(SB),NOSPLIT,$0-8
	LEAQ ·restorer(SB), AX
	MOVQ AX, ret+0(FP)
	RET
