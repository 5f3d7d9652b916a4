package settings

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocs: the document of the default environment lists exactly the defaults.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/environment.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| variable | value | why |\n| --- | --- | --- |\n")
	for _, v := range DefaultEnv() {
		fmt.Fprintf(&want, "| `%s` | `%s` | %s |\n", v.Name, v.Value, v.Why)
	}
	if !strings.Contains(string(b), want.String()+"\n") {
		t.Errorf("docs/environment.md does not hold\n%s", want.String())
	}
}
