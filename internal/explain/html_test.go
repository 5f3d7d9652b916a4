package explain

import (
	"strings"
	"testing"

	"dettrace/internal/compare"
)

// TestPage: a file is one line of the tree, with what reaches its content and
// its mode; an archive's own mode counts beside its members; what comes from
// the build is text and no markup.
func TestPage(t *testing.T) {
	r := &Report{
		Result: Unreproducible, Command: []string{"sh", "-c", "<b>"}, Runs: 3,
		Files: []string{"out", "out" + modeOf, "out/x.tar", "out/x.tar" + modeOf},
		Causes: []Cause{
			{Source: "time", Places: []Place{{"out/x.tar!a", []string{compare.Content}, 7}}},
			{Source: "umask", Places: []Place{{"out", []string{compare.Mode}, 0}, {"out/x.tar", []string{compare.Mode}, 0}}},
		},
	}
	var b strings.Builder
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		`<span class="path">out</span><span class="soft">mode</span><a class="n" href="#c2">2</a><ul>`,
		`<span class="path">x.tar</span><a class="n" href="#c1">1</a><span class="soft">mode</span><a class="n" href="#c2">2</a></li>`,
		`<td class="path">out/x.tar!a</td><td class="kinds">content</td><td>7</td>`,
		`<td class="path">out/x.tar</td><td class="kinds">mode</td><td></td>`,
		"&#39;&lt;b&gt;&#39;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if strings.Contains(page, "(mode)</span>") || strings.Contains(page, "<b>") {
		t.Error(page)
	}
}
