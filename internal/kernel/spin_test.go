package kernel

import (
	"slices"
	"testing"

	"dettrace/internal/ptrace"
)

func TestTouches(t *testing.T) {
	r := &ptrace.Regs{Rip: 0x1000, Rsp: 0x8000, Rbp: 0x9000, Rbx: 0x100, Rcx: 3, Fs_base: 0x70000}
	tests := []struct {
		name string
		code []byte
		ok   bool
		want []place
	}{
		{"mov eax, [rip+0x10]", []byte{0x8b, 0x05, 0x10, 0, 0, 0}, true, []place{{0x1016, 4}}},
		{"cmp byte [rbx+rcx*8-1], 0", []byte{0x80, 0x7c, 0xcb, 0xff, 0}, true, []place{{0x117, 1}}},
		{"mov rax, fs:[8]", []byte{0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0}, true, []place{{0x70008, 8}}},
		{"lock cmpxchg [rbx], ecx", []byte{0xf0, 0x0f, 0xb1, 0x0b}, true, []place{{0x100, 4}}},
		{"xchg [rbx], eax", []byte{0x87, 0x03}, true, []place{{0x100, 4}}},
		{"lea rax, [rbx+8]", []byte{0x48, 0x8d, 0x43, 8}, true, nil},
		{"nop [rax+rax]", []byte{0x0f, 0x1f, 0x44, 0, 0}, true, nil},
		{"pause", []byte{0xf3, 0x90}, true, nil},
		{"endbr64", []byte{0xf3, 0x0f, 0x1e, 0xfa}, true, nil},
		{"jne", []byte{0x75, 0xf0}, true, nil},
		{"call", []byte{0xe8, 0, 0, 0, 0}, true, []place{{0x7ff8, 8}}},
		{"call [rbx]", []byte{0xff, 0x13}, true, []place{{0x100, 8}, {0x7ff8, 8}}},
		{"ret", []byte{0xc3}, true, []place{{0x8000, 8}}},
		{"leave", []byte{0xc9}, true, []place{{0x9000, 8}}},
		{"bt dword [rbx], 3", []byte{0x0f, 0xba, 0x23, 3}, true, []place{{0x100, 4}}},
		{"bt [rbx], ecx", []byte{0x0f, 0xa3, 0x0b}, false, nil},
		{"syscall", []byte{0x0f, 0x05}, false, nil},
		{"int 0x80", []byte{0xcd, 0x80}, false, nil},
		{"rdtsc", []byte{0x0f, 0x31}, false, nil},
		{"rdrand eax", []byte{0x0f, 0xc7, 0xf0}, false, nil},
		{"cpuid", []byte{0x0f, 0xa2}, false, nil},
		{"pushf", []byte{0x9c}, false, nil},
		{"rep stosb", []byte{0xf3, 0xaa}, false, nil},
		{"movsb", []byte{0xa4}, false, nil},
		{"div ecx", []byte{0xf7, 0xf1}, false, nil},
		{"movaps xmm0, [rbx]", []byte{0x0f, 0x28, 0x03}, true, []place{{0x100, 16}}},
		{"movdqu xmm9, [rbx]", []byte{0xf3, 0x44, 0x0f, 0x6f, 0x0b}, true, []place{{0x100, 16}}},
		{"movsd xmm0, [rbx]", []byte{0xf2, 0x0f, 0x10, 0x03}, true, []place{{0x100, 8}}},
		{"movss xmm0, [rbx]", []byte{0xf3, 0x0f, 0x10, 0x03}, true, []place{{0x100, 4}}},
		{"ucomisd xmm0, [rbx]", []byte{0x66, 0x0f, 0x2e, 0x03}, true, []place{{0x100, 8}}},
		{"comisd xmm0, [rbx]", []byte{0x66, 0x0f, 0x2f, 0x03}, true, []place{{0x100, 8}}},
		{"pcmpeqb xmm0, [rbx]", []byte{0x66, 0x0f, 0x74, 0x03}, true, []place{{0x100, 16}}},
		{"pmovmskb eax, xmm0", []byte{0x66, 0x0f, 0xd7, 0xc0}, true, nil},
		{"movq xmm0, [rbx]", []byte{0xf3, 0x0f, 0x7e, 0x03}, true, []place{{0x100, 8}}},
		{"movd xmm0, eax", []byte{0x66, 0x0f, 0x6e, 0xc0}, true, nil},
		{"movq mm0, [rbx]", []byte{0x0f, 0x6f, 0x03}, false, nil},
		{"addps xmm0, [rbx]", []byte{0x0f, 0x58, 0x03}, false, nil},
		{"vmovdqu ymm0, [rbx]", []byte{0xc5, 0xfe, 0x6f, 0x03}, false, nil},
		{"mov fs, eax", []byte{0x8e, 0xe0}, false, nil},
		{"mov eax, [ebx]", []byte{0x67, 0x8b, 0x03}, false, nil},
		{"nothing", nil, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := touches(append(tt.code, make([]byte, max(0, 15-len(tt.code))*min(len(tt.code), 1))...), r)
			if ok != tt.ok || ok && !slices.Equal(got, tt.want) {
				t.Errorf("%x, %v; want %x, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
