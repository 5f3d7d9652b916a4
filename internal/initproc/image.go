package initproc

import (
	"bytes"
	"encoding/binary"
)

// Where the program's parts are in memory. The parameter block's address is
// also in init_amd64.s.
const (
	textBase   = 0x400000
	scriptBase = 0x500000 // up to dataBase
	dataBase   = 0x600000
	pageSize   = 4096
	headerSize = 64 + 4*56 // ELF header, four program headers
	scratchLen = 4 << 20
)

// Image is the program as an ELF file, and what a tracer needs to know of it.
type Image struct {
	File        []byte
	SyscallAddr uint64 // a syscall instruction
	ScratchAddr uint64 // zeroed memory that the program never uses
	ScratchLen  uint64
}

// Build makes the ELF file.
func Build(p *Params) Image {
	text, data := text(), p.encode()
	entry := uint64(roundUp(headerSize, 16))
	textEnd := entry + uint64(len(text))
	dataOff := roundUp(textEnd, pageSize)
	scratch := dataBase + roundUp(uint64(len(data)), pageSize)

	script := p.Script.encode()
	scriptOff := dataOff + roundUp(uint64(len(data)), pageSize)

	f := make([]byte, scriptOff+uint64(len(script)))
	putHeader(f, textBase+entry)
	putSegment(f[64:], segment{kind: ptLoad, flags: pfR | pfX, vaddr: textBase, fileLen: textEnd, memLen: textEnd})
	putSegment(f[64+56:], segment{kind: ptLoad, flags: pfR | pfW, off: dataOff, vaddr: dataBase,
		fileLen: uint64(len(data)), memLen: scratch + scratchLen - dataBase})
	putSegment(f[64+2*56:], segment{kind: ptGNUStack, flags: pfR | pfW})
	putSegment(f[64+3*56:], segment{kind: ptLoad, flags: pfR | pfW, off: scriptOff, vaddr: scriptBase,
		fileLen: uint64(len(script)), memLen: dataBase - scriptBase}) // the guest sees pid 1's size
	copy(f[entry:], text)
	copy(f[dataOff:], data)
	copy(f[scriptOff:], script)
	return Image{
		File:        f,
		SyscallAddr: textBase + entry + uint64(bytes.Index(text, []byte{0x0f, 0x05})),
		ScratchAddr: scratch,
		ScratchLen:  scratchLen,
	}
}

func roundUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }

// Numbers of elf(5).
const (
	ptLoad     = 1
	ptGNUStack = 0x6474e551
	pfX        = 1
	pfW        = 2
	pfR        = 4
	etExec     = 2
	emX8664    = 62
)

type segment struct {
	kind, flags                 uint32
	off, vaddr, fileLen, memLen uint64
}

func putHeader(b []byte, entry uint64) {
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01") // 64 bit, little endian, version 1
	le.PutUint16(b[16:], etExec)
	le.PutUint16(b[18:], emX8664)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], entry)
	le.PutUint64(b[32:], 64) // program headers follow
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 4)
}

func putSegment(b []byte, s segment) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], s.kind)
	le.PutUint32(b[4:], s.flags)
	le.PutUint64(b[8:], s.off)
	le.PutUint64(b[16:], s.vaddr)
	le.PutUint64(b[24:], s.vaddr)
	le.PutUint64(b[32:], s.fileLen)
	le.PutUint64(b[40:], s.memLen)
	le.PutUint64(b[48:], pageSize)
}
