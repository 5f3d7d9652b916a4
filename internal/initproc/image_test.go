package initproc

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

func TestImageIsAnExecutable(t *testing.T) {
	img := Build(&Params{UID: 1, Groups: make([]uint32, 2000)})
	f, err := elf.NewFile(bytes.NewReader(img.File))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || f.Machine != elf.EM_X86_64 {
		t.Errorf("type %v, machine %v", f.Type, f.Machine)
	}
	in := func(addr, n uint64, flags elf.ProgFlag) bool {
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && p.Flags == flags && addr >= p.Vaddr && addr+n <= p.Vaddr+p.Memsz {
				return true
			}
		}
		return false
	}
	if !in(f.Entry, 1, elf.PF_R|elf.PF_X) {
		t.Errorf("entry %#x is not in the text", f.Entry)
	}
	if !in(img.SyscallAddr, 2, elf.PF_R|elf.PF_X) {
		t.Errorf("syscall %#x is not in the text", img.SyscallAddr)
	}
	if !in(img.ScratchAddr, img.ScratchLen, elf.PF_R|elf.PF_W) {
		t.Errorf("scratch %#x is not writable", img.ScratchAddr)
	}
	if end := uint64(dataBase + offGroups + 4*2000); img.ScratchAddr < end {
		t.Errorf("scratch %#x overlaps the parameters up to %#x", img.ScratchAddr, end)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && (p.Off%pageSize != p.Vaddr%pageSize || p.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X) {
			t.Errorf("segment %+v", p.ProgHeader)
		}
	}
}

// TestTextIsSelfContained decodes the text: every branch stays inside, no
// operand is relative to the instruction pointer or an absolute address, no
// call leaves, and only the parameter block's base is loaded.
func TestTextIsSelfContained(t *testing.T) {
	b := text()
	if len(b) < 100 || len(b) > pageSize-headerSize {
		t.Fatalf("text of %d bytes", len(b))
	}
	starts := map[int]bool{}
	var targets []int
	syscalls := 0
	for at := 0; at < len(b); {
		in, err := x86asm.Decode(b[at:], 64)
		if err != nil {
			t.Fatalf("at %#x: %v", at, err)
		}
		starts[at] = true
		switch in.Op {
		case x86asm.SYSCALL:
			syscalls++
		case x86asm.CALL, x86asm.RET, x86asm.INT, x86asm.PUSH, x86asm.POP:
			t.Errorf("at %#x: %v", at, in)
		}
		for _, a := range in.Args {
			switch a := a.(type) {
			case x86asm.Rel:
				targets = append(targets, at+in.Len+int(a))
			case x86asm.Mem:
				if a.Base == x86asm.RIP || a.Base == 0 || a.Base == x86asm.RSP || a.Segment != 0 {
					t.Errorf("at %#x: %v", at, in)
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
	if !starts[bytes.Index(b, []byte{0x0f, 0x05})] {
		t.Error("the first 0f 05 is inside another instruction")
	}
	if syscalls < 20 {
		t.Errorf("%d system calls", syscalls)
	}
}

// TestParameterBlock checks that the text reads only fields that exist.
func TestParameterBlock(t *testing.T) {
	p := Params{UID: 0x11111111, GID: 0x22222222, Groups: []uint32{7, 8}, SetGroups: true,
		ChildCaps: 0x1_00000002, InitCaps: 0x3_00000004}
	b := p.encode()
	le := binary.LittleEndian
	for _, c := range []struct {
		off  int
		want uint32
	}{
		{offCtl, ControlFD}, {offLastPid, LastPidFD}, {offUID, p.UID}, {offGID, p.GID}, {offNGroups, 2},
		{offFlags, 1}, {offCapHdr, capVersion3}, {offCapHdr + 4, 0},
		{offCapChild, 2}, {offCapChild + 4, 2}, {offCapChild + 8, 0}, {offCapChild + 12, 1}, {offCapChild + 16, 1}, {offCapChild + 20, 0},
		{offCapInit, 4}, {offCapInit + 4, 4}, {offCapInit + 12, 3}, {offOne, '1'},
		{offSigIgn, 1}, {offGroups, 7}, {offGroups + 4, 8},
	} {
		if got := le.Uint32(b[c.off:]); got != c.want {
			t.Errorf("offset %d: %#x, want %#x", c.off, got, c.want)
		}
	}
	if len(b) != offGroups+8 {
		t.Errorf("block of %d bytes", len(b))
	}
}
