#include "textflag.h"

// func vfork(flags uintptr, pidfd *int32, calls *rawCall, n uintptr, failed *failure) (pid uintptr)
//
// The child has our memory and this very stack, and we stand still until it has
// executed something else. So it pushes nothing, and never returns.
TEXT ·vfork(SB),NOSPLIT,$0-48
	MOVQ flags+0(FP), DI
	XORQ SI, SI
	MOVQ pidfd+8(FP), DX
	XORQ R10, R10
	XORQ R8, R8
	MOVQ calls+16(FP), R12
	MOVQ n+24(FP), R13
	MOVQ failed+32(FP), R15
	XORQ BX, BX
	MOVQ $56, AX // clone
	SYSCALL
	TESTQ AX, AX
	JEQ  next
	MOVQ AX, pid+40(FP)
	RET

next:
	CMPQ BX, R13
	JCC  end
	MOVQ 8(R12), DI
	MOVQ 16(R12), SI
	MOVQ 24(R12), DX
	MOVQ 32(R12), R10
	MOVQ 40(R12), R8
	MOVQ 48(R12), R9
	MOVQ (R12), AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	ADDQ $56, R12
	INCQ BX
	JMP  next
fail:
	NEGQ AX
	MOVQ BX, 0(R15)
	MOVQ AX, 8(R15)
end:
	MOVQ $231, AX // exit_group
	MOVQ $1, DI
	SYSCALL
	INT  $3
