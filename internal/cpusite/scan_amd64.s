#include "textflag.h"

// func scan(b *byte, n int) int
//
// Sixteen places at a time: 0f, and behind it a2, 01 or c7.
TEXT ·scan(SB),NOSPLIT,$0-24
	MOVQ b+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ $0x0f0f0f0f0f0f0f0f, AX
	MOVQ AX, X4
	PUNPCKLQDQ X4, X4
	MOVQ $0xa2a2a2a2a2a2a2a2, AX
	MOVQ AX, X5
	PUNPCKLQDQ X5, X5
	MOVQ $0x0101010101010101, AX
	MOVQ AX, X6
	PUNPCKLQDQ X6, X6
	MOVQ $0xc7c7c7c7c7c7c7c7, AX
	MOVQ AX, X7
	PUNPCKLQDQ X7, X7
	XORQ DX, DX
wide:
	LEAQ 17(DX), AX
	CMPQ AX, CX
	JGT  tail
	MOVOU (SI)(DX*1), X0
	MOVOU 1(SI)(DX*1), X1
	PCMPEQB X4, X0
	MOVO X1, X2
	MOVO X1, X3
	PCMPEQB X5, X1
	PCMPEQB X6, X2
	PCMPEQB X7, X3
	POR  X2, X1
	POR  X3, X1
	PAND X1, X0
	PMOVMSKB X0, AX
	TESTL AX, AX
	JNE  found
	ADDQ $16, DX
	JMP  wide
found:
	BSFL AX, AX
	ADDQ AX, DX
	MOVQ DX, ret+16(FP)
	RET

tail:
	// The last few one by one.
	LEAQ 1(DX), AX
	CMPQ AX, CX
	JGE  none
	CMPB (SI)(DX*1), $0x0f
	JNE  other
	MOVBLZX 1(SI)(DX*1), AX
	CMPB AX, $0xa2
	JEQ  here
	CMPB AX, $0x01
	JEQ  here
	CMPB AX, $0xc7
	JEQ  here
other:
	INCQ DX
	JMP  tail
here:
	MOVQ DX, ret+16(FP)
	RET
none:
	MOVQ $-1, ret+16(FP)
	RET
