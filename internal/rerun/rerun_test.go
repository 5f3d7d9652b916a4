package rerun

import (
	"os/exec"
	"testing"
)

// TestQuote: bash reads what was written.
func TestQuote(t *testing.T) {
	for _, tt := range []struct{ word, want string }{
		{"make", "make"}, {"", "''"}, {"--epoch=@1", "--epoch=@1"}, {"a b", "'a b'"}, {"it's", `'it'\''s'`},
		{"$x`y`", "'$x`y`'"}, {"a\nb\t'\\", `$'a\nb\t\'\\'`}, {"\x1b[31m", `$'\033[31m'`}, {"\xff1", `$'\3771'`}, {"naïve", "'naïve'"},
		{"\u202e7", `$'\342\200\2567'`},
	} {
		got := Quote([]string{tt.word})
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.word, got, tt.want)
		}
		out, err := exec.Command("bash", "-c", "printf %s "+got).Output()
		if err != nil || string(out) != tt.word {
			t.Errorf("%s: bash reads %q, %v", got, out, err)
		}
	}
}
