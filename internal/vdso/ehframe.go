package vdso

const ehFrameHdrSize = 8

// ehFrameHdr points to .eh_frame and has no search table: with one entry the
// unwinder walks (LSB core, "The .eh_frame_hdr section").
func ehFrameHdr(at, frame uint64) []byte {
	const (
		omit  = 0xff
		pcrel = 0x1b // DW_EH_PE_pcrel | DW_EH_PE_sdata4
	)
	return encode([4]byte{1, pcrel, omit, omit}, int32(frame-(at+4)))
}

// ehFrame lets an unwinder pass a stub, where a signal may hit: all through
// the code the return address is on top of the stack. One CIE, one FDE, the
// end marker.
func ehFrame(at, text, size uint64) []byte {
	cie := []byte{
		0, 0, 0, 0, // CIE id
		1,           // version
		'z', 'R', 0, // augmentation: FDE pointer encoding follows
		1, 0x78, 16, // code align 1, data align -8, return address is column 16
		1, 0x1b, // pcrel | sdata4
		0x0c, 7, 8, // DW_CFA_def_cfa: rsp + 8
		0x90, 1, // DW_CFA_offset: return address at cfa - 8
		0, 0, // DW_CFA_nop
	}
	out := encode(uint32(len(cie)), cie)
	fde := at + uint64(len(out))
	out = append(out, encode(
		uint32(20),
		uint32(fde+4-at),         // back to the CIE
		int32(text)-int32(fde+8), // start, relative to this word
		uint32(size),             // length
		[8]byte{},                // no augmentation data, nops
	)...)
	return append(out, 0, 0, 0, 0)
}
