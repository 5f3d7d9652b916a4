package door

import (
	"reflect"
	"slices"
	"testing"
)

// Each name opens one door of the set, and no door lacks a name.
func TestNames(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %v", names)
	}
	seen := Set{}
	all := reflect.ValueOf(&seen).Elem()
	for _, n := range names {
		s := reflect.ValueOf(Open([]string{n}))
		open := 0
		for i := range s.NumField() {
			if s.Field(i).Bool() {
				open++
				if all.Field(i).Bool() {
					t.Errorf("%s opens a door that another name opens", n)
				}
				all.Field(i).SetBool(true)
			}
		}
		if open != 1 {
			t.Errorf("%s opens %d doors", n, open)
		}
	}
	if Open(names) != seen || len(names) != all.NumField() {
		t.Errorf("%v: %+v", names, Open(names))
	}
	if Open([]string{"windows"}) != (Set{}) {
		t.Error("an unknown name opens something")
	}
}
