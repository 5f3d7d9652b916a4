#include "go_asm.h"
#include "textflag.h"

// cpuid (look.go). A stub comes here with the leaf in AX, the subleaf in CX and
// in BX where it goes on; the instruction writes all of AX, BX, CX and DX, so DX is
// free too. It returns the address of the answer, four words from ANSWER(DX)
// on. Neither flags nor memory are written, so threads and handlers may
// interrupt it anywhere.
//
// The table holds two lists of entries: minus the key, the next entry or 0, and
// the answer. The first has leaf and subleaf as the key, the other just the
// leaf. What is in neither is answered by the entry at ZEROS.

#define EXACT (const_Base+const_leavesOffset)
#define ANY   (EXACT+const_entrySize)
#define ZEROS (ANY+const_entrySize)

#define NEXT  8

// func cpuid()
TEXT ·cpuid(SB),NOSPLIT|NOFRAME,$0-0
	MOVL AX, AX
	MOVL CX, CX
	BSWAPQ CX // the subleaf, in another order of bytes, above the leaf
	LEAQ (AX)(CX*1), AX
	MOVL $EXACT, DX
exact:
	MOVQ (DX), CX
	LEAQ (CX)(AX*1), CX
	JCXZQ found
	MOVQ NEXT(DX), DX
	MOVQ DX, CX
	JCXZQ leaf
	JMP  exact
leaf:
	MOVL AX, AX
	MOVL $ANY, DX
any:
	MOVQ (DX), CX
	LEAQ (CX)(AX*1), CX
	JCXZQ found
	MOVQ NEXT(DX), DX
	MOVQ DX, CX
	JCXZQ none
	JMP  any
none:
	MOVL $ZEROS, DX
found:
	JMP  BX

	// The mark of the end; see text_unsafe.go.
	BYTE $0x0f; BYTE $0x0b
	BYTE $0x64; BYTE $0x74; BYTE $0x2d; BYTE $0x65; BYTE $0x6e; BYTE $0x64
	RET

// func cpuidAddr() *byte
TEXT ·cpuidAddr(SB),NOSPLIT,$0-8
	LEAQ ·cpuid(SB), AX
	MOVQ AX, ret+0(FP)
	RET
