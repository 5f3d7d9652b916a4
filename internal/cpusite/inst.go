package cpusite

import "encoding/binary"

// inst is what must be known of an instruction to walk over it and to move it.
type inst struct {
	size    int
	opcode  opcode
	modrm   int  // its offset, or 0
	rip     bool // an operand is relative to the instruction pointer
	branch  bool // target is where it may go on
	target  int  // relative to its own start
	calls   bool // call through a register or memory
	leaves  bool // control may not, or not only, go on behind it
	vectors bool // VEX, EVEX or XOP encoded
	wide    bool // REX.W
	rex     byte
}

// opcode is the map (0: one byte, 1: 0f, 2: 0f38, 3: 0f3a, ...) and the byte.
type opcode struct {
	table byte
	op    byte
}

// What follows the opcode. The tables have one letter for each of 256:
//
//	.  nothing          m  ModRM            x  no instruction of 64-bit code
//	b  8 bit            w  16 bit           d  32 bit (16 with prefix 66)
//	B  ModRM, 8 bit     D  ModRM, 32 bit    r  8-bit branch     R  32-bit branch
//	e  enter            q  mov imm          o  address of 64 bit
//	f  group 3, 8 bit   F  group 3          p  prefix, or an escape
//
// (Intel manual, volume 2, appendix A.)
const oneByte = "" +
	"mmmmbdxxmmmmbdxp" + "mmmmbdxxmmmmbdxx" + // 00
	"mmmmbdpxmmmmbdpx" + "mmmmbdpxmmmmbdpx" + // 20
	"pppppppppppppppp" + "................" + // 40
	"xxpmppppdDbB...." + "rrrrrrrrrrrrrrrr" + // 60: 62 is EVEX
	"BDxBmmmmmmmmmmmp" + "..........x....." + // 80: 8f is pop or XOP
	"oooo....bd......" + "bbbbbbbbqqqqqqqq" + // a0
	"BBw.ppBDe.w..bx." + "mmmmxxx.mmmmmmmm" + // c0: c4, c5 are VEX
	"rrrrbbbbRRxr...." + "p.pp..fF......mm" // e0

const twoByte = "" +
	"mmmmx.....x.xm.B" + "mmmmmmmmmmmmmmmm" + // 00: 0f is 3DNow!
	"mmmmxxxxmmmmmmmm" + "........pxpxxxxx" + // 20: 38, 3a are escapes
	"mmmmmmmmmmmmmmmm" + "mmmmmmmmmmmmmmmm" + // 40
	"mmmmmmmmmmmmmmmm" + "BBBBmmm.mmxxmmmm" + // 60
	"RRRRRRRRRRRRRRRR" + "mmmmmmmmmmmmmmmm" + // 80
	"...mBmxx...mBmmm" + "mmmmmmmmmmBmmmmm" + // a0
	"mmBmBBBm........" + "mmmmmmmmmmmmmmmm" + // c0
	"mmmmmmmmmmmmmmmm" + "mmmmmmmmmmmmmmmm" // e0

// decode is the instruction at the beginning of b; ok is false where there is
// none that is known.
func decode(b []byte) (in inst, ok bool) {
	i, small, short := 0, false, false
	for ; i < len(b) && i < 14; i++ {
		switch b[i] {
		case 0x66:
			small = true
			continue
		case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0, 0xf2, 0xf3:
			continue
		case 0x67:
			short = true
			continue
		}
		break
	}
	if i < len(b) && b[i]&0xf0 == 0x40 {
		in.rex, in.wide = b[i], b[i]&8 != 0
		i++
	}
	if i >= len(b) {
		return in, false
	}
	op := b[i]
	i++
	if v, n := vector(b[i:], op); n > 0 {
		in.vectors, in.opcode = true, v
		i += n
		return in, in.finish(b, i, vectorKind(v), small)
	} else if n < 0 {
		return in, false
	}
	kind := oneByte[op]
	in.opcode = opcode{0, op}
	switch {
	case op == 0x0f:
		if i >= len(b) {
			return in, false
		}
		op = b[i]
		i++
		in.opcode, kind = opcode{1, op}, twoByte[op]
		if op == 0x38 || op == 0x3a {
			if i >= len(b) {
				return in, false
			}
			in.opcode, kind = opcode{2, b[i]}, 'm'
			if op == 0x3a {
				in.opcode.table, kind = 3, 'B'
			}
			i++
		}
	case op == 0x8f:
		kind = 'm'
	case kind == 'p', kind == 'o' && short:
		return in, false
	}
	return in, in.finish(b, i, kind, small)
}

// vector reads the prefix of a VEX, EVEX or XOP instruction, of which op is the
// first byte and b the rest: its opcode and size. 0: it is none; -1: nonsense.
func vector(b []byte, op byte) (opcode, int) {
	if len(b) < 5 {
		return opcode{}, 0
	}
	switch {
	case op == 0xc5:
		return opcode{1, b[1]}, 2
	case op == 0xc4:
		if t := b[0] & 31; t >= 1 && t <= 3 {
			return opcode{t, b[2]}, 3
		}
		return opcode{}, -1
	case op == 0x62:
		if t := b[0] & 7; t >= 1 && t <= 6 && t != 4 && b[1]&4 != 0 {
			return opcode{t, b[3]}, 4
		}
		return opcode{}, -1
	case op == 0x8f && b[0]&0x38 != 0: // else pop
		if t := b[0] & 31; t >= 8 && t <= 10 {
			return opcode{t, b[2]}, 3
		}
		return opcode{}, -1
	}
	return opcode{}, 0
}

func vectorKind(v opcode) byte {
	switch {
	case v == opcode{1, 0x77}: // vzeroupper
		return '.'
	case v.table == 1 && (v.op >= 0x70 && v.op <= 0x73 || v.op == 0xc2 || v.op >= 0xc4 && v.op <= 0xc6), v.table == 3, v.table == 8:
		return 'B'
	case v.table == 10:
		return 'D'
	}
	return 'm'
}

// finish reads what follows the opcode, at i.
func (in *inst) finish(b []byte, i int, kind byte, small bool) bool {
	imm := 4
	if small {
		imm = 2
	}
	if in.opcode.table == 10 {
		imm = 4
	}
	switch kind {
	case 'm', 'B', 'D', 'f', 'F':
		if i >= len(b) {
			return false
		}
		in.modrm = i
		n := in.operand(b[i:])
		if n == 0 {
			return false
		}
		reg := b[i] >> 3 & 7
		i += n
		switch {
		case kind == 'B', kind == 'f' && reg < 2:
			i++
		case kind == 'D', kind == 'F' && reg < 2:
			i += imm
		}
		if in.opcode == (opcode{0, 0xff}) && reg >= 2 && reg <= 5 {
			in.leaves, in.calls = true, reg < 4
		}
	case '.':
	case 'b', 'r':
		i++
	case 'w':
		i += 2
	case 'd':
		i += imm
	case 'R':
		i += 4
	case 'e':
		i += 3
	case 'o':
		i += 8
	case 'q':
		if in.wide {
			imm = 8
		}
		i += imm
	default:
		return false
	}
	if i > len(b) || i > 15 {
		return false
	}
	in.size = i
	switch kind {
	case 'r':
		in.branch, in.target = true, i+int(int8(b[i-1]))
	case 'R':
		in.branch, in.target = true, i+int(int32(binary.LittleEndian.Uint32(b[i-4:])))
	}
	in.leaves = in.leaves || in.branch || !in.vectors && leaves(in.opcode)
	return true
}

// operand is the size of a ModRM byte with what belongs to it.
func (in *inst) operand(b []byte) int {
	mod, rm := b[0]>>6, b[0]&7
	n := 1
	if mod == 3 {
		return n
	}
	if rm == 4 {
		if len(b) < 2 {
			return 0
		}
		n++
		if mod == 0 && b[1]&7 == 5 {
			n += 4
		}
	}
	switch {
	case mod == 0 && rm == 5:
		in.rip = true
		n += 4
	case mod == 1:
		n++
	case mod == 2:
		n += 4
	}
	return n
}

// leaves reports instructions without a target in them that do not simply go
// on: returns, traps, calls of the kernel.
func leaves(o opcode) bool {
	switch o {
	case opcode{0, 0xc2}, opcode{0, 0xc3}, opcode{0, 0xca}, opcode{0, 0xcb}, opcode{0, 0xcc}, opcode{0, 0xcd}, opcode{0, 0xcf},
		opcode{0, 0xf1}, opcode{0, 0xf4}, opcode{1, 0x05}, opcode{1, 0x07}, opcode{1, 0x0b}, opcode{1, 0x34}, opcode{1, 0x35}:
		return true
	}
	return false
}
