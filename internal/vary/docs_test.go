package vary

import (
	"os"
	"strings"
	"testing"
)

// TestDocs: the documentation has a row for each source, in this order.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/explain.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, s := range Sources() {
		event := s.Event
		if event == "" {
			event = "-"
		}
		row := "| " + s.Name + " | " + s.What + " | " + event + " |\n"
		_, rest, ok := strings.Cut(text, row)
		if !ok {
			t.Errorf("no row, or not in order: %s", row)
			continue
		}
		text = rest
	}
}
