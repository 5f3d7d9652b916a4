package cpusite

import (
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"
)

func code(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is replaced around an instruction.
func TestWiden(t *testing.T) {
	for _, c := range []struct{ name, code, old string }{
		{"what follows", "0fa2 89c2 83e21f c3", "0fa2 89c2 83e21f"},
		{"what comes before", "b801000000 0fa2 7402 9090 c3", "b801000000 0fa2"},
		{"a store relative to rip", "31c9 0fa2 890578563412 c3", "0fa2 890578563412"},
		{"a load relative to rip", "90 0fa2 8b0578563412 c3", "0fa2"},
		{"a branch into it", "0fa2 89c2 83e21f ebf9 c3", "0fa2"},
		{"a branch to its beginning", "0fa2 89c2 83e21f ebf7 c3", "0fa2 89c2 83e21f"},
		{"a jump that is computed", "0fa2 89c2 83e21f ffe0", "0fa2"},
		{"another cpuid behind", "0fa2 0fa2 83e21f 83e21f c3", "0fa2"},
		{"xgetbv", "0f01d0 89c2 89d1 c3", "0f01d0 89c2 89d1"},
		{"rdrand", "480fc7f0 89c2 89d1 c3", "480fc7f0"},
	} {
		f := &function{code: code(t, c.code)}
		f.walk()
		op, mark := CPUID, "\x0f\xa2"
		if strings.HasPrefix(c.name, "x") {
			op, mark = XGETBV, "\x0f\x01"
		} else if strings.HasPrefix(c.name, "r") {
			op, mark = RDRAND, "\x0f\xc7"
		}
		s, ok := f.site(Place{int64(bytes.Index(f.code, []byte(mark))), op})
		if want := code(t, c.old); !f.ok || !ok || s.Op != op || !bytes.Equal(s.Old, want) {
			t.Errorf("%s: %v, %v, %+v", c.name, f.ok, ok, s)
		}
	}
}

// Bytes that look like one are none.
func TestNoSite(t *testing.T) {
	for name, text := range map[string]string{
		"in an immediate":     "b80fa20000 c3",
		"over two":            "c1e80f a200000000 00000000 c3",
		"in a displacement":   "8b800fa20000 c3",
		"cmpxchg8b":           "0fc70f c3",
		"vector instruction":  "c5f8a2 c3",
		"end of another code": "66 0f38f00f a20000000000000000 c3",
	} {
		f := &function{code: code(t, text)}
		f.walk()
		for at := range f.code {
			for _, op := range []Op{CPUID, XGETBV, RDRAND, RDSEED} {
				if s, ok := f.site(Place{int64(at), op}); ok {
					t.Errorf("%s: %+v", name, s)
				}
			}
		}
	}
}

func TestMove(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"89c2", "89c2"},
		{"890500000100", "a3 0610010000000000"},
		{"891d00000100", "4893 a3 0610010000000000 4893"},
		{"48891d00000100", "4893 48a3 0710010000000000 4893"},
		{"44890500000100", "4990 a3 0710010000000000 4990"},
		{"89c2 4889157a000000", "89c2 4892 48a3 8310000000000000 4892"},
		{"8b0500000100", ""}, {"7400", ""}, {"c3", ""}, {"e800000000", ""}, {"ffd0", ""}, {"0f05", ""}, {"0f31", ""}, {"0fa2", ""},
		{"66890500000100", ""},
	} {
		out, ok := Move(code(t, c.in), 0x1000)
		if ok != (c.out != "") || ok && !bytes.Equal(out, code(t, c.out)) {
			t.Errorf("%s: % x, %v, want %s", c.in, out, ok, c.out)
		}
	}
}

// Our own binary is a Go program, whose functions its table tells; the
// runtime, golang.org/x/sys/cpu and package cpu have cpuid.
func TestOwnBinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := File(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	count := map[Op]int{}
	for _, s := range r.Sites {
		count[s.Op]++
		b := make([]byte, len(s.Old))
		if _, err := f.ReadAt(b, s.Off-int64(s.Before)); err != nil || !bytes.Equal(b, s.Old) {
			t.Errorf("%+v: %v, % x", s, err, b)
		}
		if s.Op == CPUID && len(s.Old) < Jump {
			t.Errorf("not to be replaced by a jump: %+v", s)
		}
	}
	if count[CPUID] < 2 || count[XGETBV] < 1 || len(r.Unproved) != 0 {
		t.Errorf("%v, unproved %v", count, r.Unproved)
	}
}

// Code is followed along branches and calls, and no further.
func TestCode(t *testing.T) {
	c := code(t, "7402 0fa2 e801000000 c3 0fc7f0 c3 0fa2")
	var got []int64
	for _, s := range Code(c, 0) {
		got = append(got, s.Off)
	}
	if len(got) != 2 || got[0] != 2 || got[1] != 10 {
		t.Errorf("%v", got)
	}
	if s := Code([]byte{0xf3, 0x0f, 0xc7, 0xf8}, 0); len(s) != 1 || s[0].Op != RDPID || !bytes.Equal(s[0].Trap(), []byte{0xf3, 0x0f, 0x32, 0xf8}) {
		t.Errorf("%+v", s)
	}
}

func FuzzFile(f *testing.F) {
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:8192])
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := File(bytes.NewReader(b), int64(len(b)))
		if m, e := Bytes(b); !reflect.DeepEqual(m, r) || (e == nil) != (err == nil) {
			t.Errorf("mapped: %+v, %v; read: %+v, %v", m, e, r, err)
		}
		if err == nil {
			for _, s := range r.Sites {
				if s.Before+s.Size > len(s.Old) || len(s.Trap()) != s.Size {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}
