package fastpath

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// TestTextIsSelfContained decodes the region's code: every branch stays inside
// or goes into the stub, no operand is relative to the instruction pointer, none
// uses a segment or a vector register, and memory is reached only through r11
// (the state), rcx (the class table, a stub, a link) or r8 and, for sysinfo, rdi (the guest's buffers); in
// that for rdtsc, through rdx (the state), in that for cpuid, through rdx (the table).
func TestTextIsSelfContained(t *testing.T) {
	for _, c := range []struct {
		name        string
		text        []byte
		room        int
		bases       []x86asm.Reg
		calls, outs int
	}{
		{"code", text(codeAddr()), tscOffset, []x86asm.Reg{x86asm.R11, x86asm.R8, x86asm.RCX, x86asm.RDI}, 4, 3},
		{"tsc", text(tscAddr()), cpuidOffset - tscOffset, []x86asm.Reg{x86asm.RDX}, 0, 1},
		{"cpuid", text(cpuidAddr()), pathOffset - cpuidOffset, []x86asm.Reg{x86asm.RDX, x86asm.RAX, x86asm.RCX}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.text
			if len(b) < 60 || len(b) > c.room {
				t.Fatalf("text of %d bytes", len(b))
			}
			starts := map[int]bool{}
			var targets []int
			calls, outs := 0, 0
			for at := 0; at < len(b); {
				in, err := x86asm.Decode(b[at:], 64)
				if err != nil {
					t.Fatalf("at %#x: %v", at, err)
				}
				starts[at] = true
				switch in.Op {
				case x86asm.SYSCALL:
					calls++
				case x86asm.CALL, x86asm.RET, x86asm.INT, x86asm.PUSH, x86asm.POP:
					t.Errorf("at %#x: %v", at, in)
				}
				for _, a := range in.Args {
					switch a := a.(type) {
					case x86asm.Rel:
						targets = append(targets, at+in.Len+int(a))
					case x86asm.Mem:
						out := in.Op == x86asm.JMP && a.Base == 0 && a.Index == 0 && a.Disp == State+offJump
						if out {
							outs++
						} else if !slices.Contains(c.bases, a.Base) || a.Segment != 0 {
							t.Errorf("at %#x: %v", at, in)
						}
					case x86asm.Reg:
						if a > x86asm.R15 {
							t.Errorf("at %#x: %v", at, in)
						}
						if in.Op == x86asm.JMP {
							outs++
							if a != x86asm.RCX && (c.name != "cpuid" || a != x86asm.RBX) {
								t.Errorf("at %#x: %v", at, in)
							}
						}
					}
				}
				at += in.Len
			}
			for _, to := range targets {
				if !starts[to] {
					t.Errorf("a branch leads to %#x, which is no instruction", to)
				}
			}
			if calls < c.calls || outs != c.outs {
				t.Errorf("%d system calls, %d ways out", calls, outs)
			}
		})
	}
}

// TestLayout checks the constants that the code repeats.
func TestLayout(t *testing.T) {
	b := text(codeAddr())
	le := binary.LittleEndian
	for name, v := range map[string]uint32{"STATE": State, "CLASS": Base + classOffset, "VFORKS": Base + vforkOffset} {
		if !bytes.Contains(b, le.AppendUint32(nil, v)) {
			t.Errorf("%s is not %#x in the code", name, v)
		}
	}
	// add rcx, 16 and 18 before the jumps out, as LEAQ encodes them.
	for name, v := range map[string]byte{"STUB_LEAVE": stubLeave, "STUB_DONE": stubDone, "STUB_SECOND": stubSize} {
		if !bytes.Contains(b, []byte{0x48, 0x8d, 0x49, v}) {
			t.Errorf("%s is not %d in the code", name, v)
		}
	}
	// cmp rax, BUDGET(r11), cmp rcx, FUSEDEV(r11) and so on.
	for name, c := range map[string][]byte{
		"budget": {0x49, 0x3b, 0x03}, "FuseDev": {0x49, 0x3b, 0x4b, offFuseDev}, "TreeDev": {0x49, 0x8b, 0x4b, offTreeDev},
		"ImageIno": {0x49, 0x3b, 0x4b, offImageIno}, "VolumeIno": {0x49, 0x3b, 0x4b, offVolumeIno}, "NoOpen": {0x49, 0x83, 0x7b, offNoOpen},
		"Known": {0x41, 0x3b, 0x83, byte(offKnown & 0xff), offKnown >> 8, 0, 0}, "Asked": {0x49, 0xff, 0x83, byte(offAsked & 0xff), offAsked >> 8, 0, 0},
		"a pipe": {0x41, 0xc6, 0x84, 0x0b, byte(offKinds & 0xff), offKinds >> 8, 0, 0, kindPipe}, "no events": {0x83, 0xf9, byte(Close)},
		"all kinds": {0xb9, byte(maxKinds & 0xff), maxKinds >> 8, 0, 0},
	} {
		if !bytes.Contains(b, c) {
			t.Errorf("%s: no % x in the code", name, c)
		}
	}
	clock := text(tscAddr())
	for name, c := range map[string][]byte{
		"STATE": le.AppendUint32(nil, State), "STUB_LEAVE": {0x48, 0x83, 0xc0, stubLeave}, "STUB_DONE": {0x48, 0x83, 0xc0, stubDone},
		"budget": {0x48, 0x3b, 0x02}, "TSC": le.AppendUint32([]byte{0x48, 0x03, 0x82}, offTSC), "TICK": le.AppendUint32([]byte{0x48, 0x0f, 0xaf, 0x82}, offTick),
	} {
		if !bytes.Contains(clock, c) {
			t.Errorf("%s: no % x in the code for rdtsc", name, c)
		}
	}
	look := text(cpuidAddr())
	for name, v := range map[string]uint32{"EXACT": Base + leavesOffset, "ANY": Base + leavesOffset + entrySize, "ZEROS": Base + leavesOffset + 2*entrySize} {
		if !bytes.Contains(look, le.AppendUint32(nil, v)) {
			t.Errorf("%s is not %#x in the code for cpuid", name, v)
		}
	}
	if Base%4096 != 0 || State%4096 != 0 || End > 0x200000 {
		t.Errorf("base %#x, state %#x, end %#x", Base, State, End)
	}
}

// The code for clocks runs in several threads at once and as a function: it uses
// no stack and writes nothing but the time, by one instruction, and the answer.
func TestClocksCode(t *testing.T) {
	b := text(clocksAddr())
	if len(b) < 60 || len(b) > TextSize-clocksOffset {
		t.Fatalf("text of %d bytes", len(b))
	}
	kept := []x86asm.Reg{x86asm.RBX, x86asm.RSP, x86asm.RBP, x86asm.R12, x86asm.R13, x86asm.R14, x86asm.R15}
	stores, adds := 0, 0
	for at := 0; at < len(b); {
		in, err := x86asm.Decode(b[at:], 64)
		if err != nil {
			t.Fatalf("at %#x: %v", at, err)
		}
		switch in.Op {
		case x86asm.CALL, x86asm.INT, x86asm.PUSH, x86asm.POP:
			t.Errorf("at %#x: %v", at, in)
		case x86asm.XADD:
			if adds++; in.Prefix[0]&0xff != x86asm.PrefixLOCK {
				t.Errorf("at %#x: %v is not atomic", at, in)
			}
		}
		for i, a := range in.Args {
			switch a := a.(type) {
			case x86asm.Mem:
				if i == 0 && in.Op == x86asm.MOV && (a.Base == x86asm.RSI || a.Base == x86asm.RDI) {
					stores++
				} else if a.Base != x86asm.R8 || i == 0 && in.Op != x86asm.XADD {
					t.Errorf("at %#x: %v", at, in)
				}
			case x86asm.Reg:
				if slices.Contains(kept, a) {
					t.Errorf("at %#x: %v", at, in)
				}
			case x86asm.Rel:
				if to := at + in.Len + int(a); to < 0 || to >= len(b) {
					t.Errorf("at %#x: %v", at, in)
				}
			}
		}
		at += in.Len
	}
	if stores != 5 || adds != 4 {
		t.Errorf("%d stores of the answer, %d readings", stores, adds)
	}
	le := binary.LittleEndian
	if !bytes.Contains(b, le.AppendUint32(nil, State+offTime)) || offBoot != offTime+8 || offShare != offTime+16 {
		t.Error("the time is elsewhere")
	}
}

// TestStateOverlap: no two words of the state share a place.
func TestStateOverlap(t *testing.T) {
	const word = 8
	taken := map[int]int{}
	for _, r := range [][2]int{
		{offBudget, word}, {offServed, word}, {offFuseDev, word}, {offTreeDev, word}, {offImageIno, word}, {offVolumeIno, word}, {offNoOpen, word},
		{offFuseMinor, word}, {offTSC, word}, {offTick, word}, {offJump, word}, {offStdio, 3 * word}, {offNow, word}, {offChanged, word}, {offCPU, word},
		{offNoChild, word}, {offRandomPos, word}, {offNullDev, word}, {offNullIno, word}, {offEpoch, 2 * word}, {offTime, word}, {offBoot, word},
		{offShare, word}, {offAlone, word}, {offSegvSet, word}, {offSegv, 4 * word}, {offRandom, RandomWords * word}, {offKinds, maxKinds},
		{offKnown, word}, {offAsked, word}, {offMemTotal, word}, {offMemFree, word}, {offStill, word},
	} {
		for at := r[0]; at < r[0]+r[1]; at++ {
			if first, ok := taken[at]; ok {
				t.Fatalf("the word at %#x is in that at %#x", r[0], first)
			}
			taken[at] = r[0]
		}
	}
}
