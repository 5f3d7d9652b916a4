package run

import "testing"

func TestMappingAt(t *testing.T) {
	const maps = `00400000-00401000 r--p 00000000 00:2f 12                                 /bin/a b
00401000-00402000 r-xp 00001000 00:2f 12                                 /bin/a b
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7ffff7fc0000-7ffff7fc1000 r-xp 00000000 00:00 0                          [vdso]
broken
`
	for _, c := range []struct {
		addr uint64
		want mapping
		ok   bool
	}{
		{0x401234, mapping{"/bin/a b", 0x1234}, true},
		{0x402000, mapping{}, false},
		{0x7f0000000010, mapping{"", 0x10}, true},
		{0x7ffff7fc0004, mapping{"[vdso]", 4}, true},
	} {
		if got, ok := mappingAt(maps, c.addr); got != c.want || ok != c.ok {
			t.Errorf("%#x: %+v %v, want %+v %v", c.addr, got, ok, c.want, c.ok)
		}
	}
}
