#include "go_asm.h"
#include "textflag.h"

// The time stamp counter (layout.go, tsc). A stub comes here with its address in
// AX; DX is free too, as rdtsc writes both. All else is kept, the flags too.

#define STATE const_State

// Offsets in the state.
#define BUDGET    0
#define SERVED    8
#define TSC       128
#define TICK      136
#define SAVED_SP  144
#define STUB      152
#define VALUE     160
#define JUMP      168
#define TOP       0x1000

// Offsets in a stub for rdtsc.
#define STUB_LEAVE 16
#define STUB_DONE  18

// func tsc()
TEXT ·tsc(SB),NOSPLIT|NOFRAME,$0-0
	MOVL $STATE, DX
	MOVQ SP, SAVED_SP(DX)
	LEAQ TOP(DX), SP
	BYTE $0x9c // pushfq
	MOVQ AX, STUB(DX)
	MOVQ SERVED(DX), AX
	CMPQ AX, BUDGET(DX)
	JCC  leave
	INCQ AX
	MOVQ AX, SERVED(DX)
	IMULQ TICK(DX), AX
	ADDQ TSC(DX), AX
	MOVQ AX, VALUE(DX)
	MOVQ STUB(DX), AX
	ADDQ $STUB_DONE, AX
	JMP  out

leave:
	MOVQ STUB(DX), AX
	ADDQ $STUB_LEAVE, AX
out:
	MOVQ AX, JUMP(DX)
	BYTE $0x9d // popfq
	MOVQ SAVED_SP(DX), SP
	MOVL VALUE(DX), AX
	MOVL VALUE+4(DX), DX
	// jmp *STATE+JUMP
	BYTE $0xff; BYTE $0x24; BYTE $0x25; LONG $(STATE+JUMP)

	// The mark of the end; see text_unsafe.go.
	BYTE $0x0f; BYTE $0x0b
	BYTE $0x64; BYTE $0x74; BYTE $0x2d; BYTE $0x65; BYTE $0x6e; BYTE $0x64
	RET

// func tscAddr() *byte
TEXT ·tscAddr(SB),NOSPLIT,$0-8
	LEAQ ·tsc(SB), AX
	MOVQ AX, ret+0(FP)
	RET
