package detfs

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dettrace/internal/cpusite"
	"dettrace/internal/vary"
)

// fill sets everything in v to something that is not its zero value, and no two
// numbers to the same.
func fill(t *testing.T, v reflect.Value, n *uint64) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-int64(*n))
	case reflect.Uint8:
		v.SetUint(*n & 0x7f)
	case reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(*n)
	case reflect.String:
		v.SetString("x" + string(rune('a'+*n%26)))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, elem, n)
		v.SetMapIndex(key, elem)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a %s, which this test does not know", v.Type())
	}
}

// TestWire: no field is left behind, mixed up with another, or taken from a
// message that is cut short.
func TestWire(t *testing.T) {
	for _, c := range []struct {
		full, got coded
	}{
		{&call{}, &call{}}, {&answer{}, &answer{}}, {&Summary{}, &Summary{}},
		{sites{&cpusite.Result{}}, sites{&cpusite.Result{}}},
	} {
		v := reflect.Indirect(reflect.ValueOf(c.full))
		if s, ok := c.full.(sites); ok {
			v = reflect.ValueOf(s.Result).Elem()
		}
		n := uint64(0)
		fill(t, v, &n)
		b := encode(nil, c.full)
		if err := decode(b, c.got); err != nil {
			t.Errorf("%T: %v", c.full, err)
		}
		if d := cmp.Diff(c.full, c.got, cmp.AllowUnexported(call{}, answer{}, sites{})); d != "" {
			t.Errorf("%T: %s", c.full, d)
		}
		for n := range b {
			if err := decode(b[:n], c.got); err == nil {
				t.Errorf("%T: the first %d of %d bytes are taken for all", c.full, n, len(b))
			}
		}
		if err := decode(append(b, 0), c.got); err == nil {
			t.Errorf("%T: a byte too many is not noticed", c.full)
		}
	}
}

// An empty value comes back as what it was.
func TestWireEmpty(t *testing.T) {
	for _, c := range []struct{ empty, got coded }{
		{&call{}, &call{}}, {&call{Config: &Config{}}, &call{}},
		{&call{Config: &Config{Vary: vary.Plan{{Source: vary.Inode, Ranges: []vary.Range{}}}}}, &call{}}, {&answer{}, &answer{}}, {&Summary{}, &Summary{}},
	} {
		if err := decode(encode(nil, c.empty), c.got); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(c.empty, c.got, cmp.AllowUnexported(call{}, answer{})); d != "" {
			t.Error(d)
		}
	}
}

func FuzzWire(f *testing.F) {
	f.Add(encode(nil, &call{Op: "init", Config: &Config{Files: []StaticFile{{Path: "/a", Content: []byte("b")}}}}))
	f.Add(encode(nil, &Summary{Doors: []string{"time"}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, v := range []coded{&call{}, &answer{}, &Summary{}, sites{&cpusite.Result{}}} {
			_ = decode(b, v)
		}
	})
}
