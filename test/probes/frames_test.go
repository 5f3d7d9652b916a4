package probes

import (
	"strings"
	"testing"
)

func TestReadFrames(t *testing.T) {
	tests := []struct {
		name, in string
		want     []Output
		done, ok bool
	}{
		{"two", "@@begin a\n@@out 3\nx\ny@@err 0\n@@end 0\n@@begin b\n@@out 0\n@@err 2\nno@@end 139\n@@done\n",
			[]Output{{Stdout: "x\ny"}, {Stderr: "no", Status: 139}}, true, true},
		{"cut", "@@begin a\n@@out 3\nx", nil, false, false},
		{"noise", "hello\n", nil, false, false},
		{"negative", "@@begin a\n@@out -1\n", nil, false, false},
		{"frame in output", "@@begin a\n@@out 7\n@@done\n@@err 0\n@@end 1\n@@done\n", []Output{{Stdout: "@@done\n", Status: 1}}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []Output
			done, err := readFrames(strings.NewReader(tt.in), func(string) {}, func(_ string, o Output) { got = append(got, o) })
			if done != tt.done || (err == nil) != tt.ok {
				t.Fatalf("done %v, error %v", done, err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %+v", got)
			}
			for i := range got {
				if !got[i].same(tt.want[i]) {
					t.Errorf("got %+v, want %+v", got[i], tt.want[i])
				}
			}
		})
	}
}
