package cpusite

import "bytes"

// Code finds the instructions in code that is reached from entry, an offset in
// it at which one begins: along branches and calls with targets in them. Off of
// a Site is an offset in code. All of them are to trap.
func Code(code []byte, entry int64) (sites []Site) {
	const most = 1 << 16 // instructions
	seen := map[int]bool{}
	todo := []int{int(entry)}
	for n := 0; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for at >= 0 && at < len(code) && !seen[at] && n < most {
			seen[at] = true
			n++
			in, ok := decode(code[at:])
			if !ok {
				break
			}
			if op := look(&in, code[at:at+in.size]); op != 0 {
				sites = append(sites, Site{Off: int64(at), Op: op, Size: in.size, Old: bytes.Clone(code[at : at+in.size])})
			}
			if in.branch {
				todo = append(todo, at+in.target)
			}
			if in.ends() {
				break
			}
			at += in.size
		}
	}
	return sites
}

// ends reports that control does not go on behind the instruction.
func (in *inst) ends() bool {
	if in.vectors {
		return false
	}
	switch in.opcode {
	case opcode{0, 0xe9}, opcode{0, 0xeb}, opcode{0, 0xc2}, opcode{0, 0xc3}, opcode{0, 0xcb}, opcode{0, 0xca}, opcode{0, 0xcf},
		opcode{0, 0xf4}, opcode{1, 0x0b}:
		return true
	case opcode{0, 0xff}:
		return in.leaves && !in.calls
	}
	return false
}
