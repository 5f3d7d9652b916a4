package redact

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"dettrace/internal/image"
)

// A secret is found in every form and wherever writes cut it.
func TestWriter(t *testing.T) {
	for _, secret := range []string{"hunter2hunter2", "with \"quotes\" & <tags>\\", "-----BEGIN-----\nMIIabcdefgh\n-----END-----\n", "\xff\xfebytes\x00", "ünïcödé", "aaaaaa"} {
		m := New([]string{"TOKEN=" + secret})
		asJSON, _ := json.Marshal(secret)
		inner, _ := json.Marshal(strconv.Quote(secret))
		text := "a " + secret + " b " + strconv.Quote(secret) + " c " + string(asJSON) + " d " + image.EscapePath(secret) + " e " + string(inner) + " f " + unescaped(strconv.Quote(secret)) + " g"
		for cut := 1; cut < 9; cut++ {
			var b bytes.Buffer
			w := m.Writer(&b, false)
			for rest := text; rest != ""; {
				n := min(cut, len(rest))
				if _, err := w.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			got := b.String()
			if m.Has(b.Bytes()) || strings.Count(got, "[secret TOKEN]") < 6 {
				t.Errorf("%q, cut %d: %q", secret, cut, got)
			}
			for _, rest := range []string{"a ", " b ", " c ", " d ", " e ", " f ", " g"} {
				if !strings.Contains(got, rest) {
					t.Errorf("%q lost: %q", rest, got)
				}
			}
			if got != m.Text(text) {
				t.Errorf("text %q, writer %q", m.Text(text), got)
			}
		}
	}
}

// unescaped is s in JSON as traces and reports have it: with <, > and & as they are.
func unescaped(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSpace(b.String())
}

func TestNoSecrets(t *testing.T) {
	var b bytes.Buffer
	m := New(nil)
	w := m.Writer(&b, false)
	if _, err := w.Write([]byte("text")); err != nil || b.String() != "text" || m.Text("text") != "text" || m.Has([]byte("text")) {
		t.Errorf("%q, %v", b.String(), err)
	}
}
