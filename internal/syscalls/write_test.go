package syscalls

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/syscalls.md")

func TestDocs(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "syscalls.md")
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is not that of the table: run go generate ./internal/syscalls", path)
	}
}

func TestMarkdownHasEveryCall(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	columns := 0
	for _, line := range strings.Split(b.String(), "\n") {
		if n := strings.Count(line, "|"); strings.HasPrefix(line, "| number") {
			columns = n
		} else if columns != 0 && line != "" && n != columns {
			t.Errorf("%d bars instead of %d: %s", n, columns, line)
		}
	}
	for _, r := range Table() {
		if r.Assigned() && !strings.Contains(b.String(), "| `"+r.Name+"` |") {
			t.Errorf("%s is not there", r.Name)
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var rows []jsonRow
	if err := json.Unmarshal(b.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != Newest+1 {
		t.Fatalf("%d rows", len(rows))
	}
	want := jsonRow{334, "rseq", "refuse", "never", false, "ENOSYS", rows[334].Note}
	if rows[334] != want {
		t.Errorf("row 334 is %+v", rows[334])
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NR ", "\n39  ", "getpid", "337-423", "(unassigned)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q", want)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteErrors(t *testing.T) {
	if err := WriteText(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("text: %v", err)
	}
	if err := WriteJSON(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("JSON: %v", err)
	}
	if err := WriteMarkdown(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("Markdown: %v", err)
	}
}
