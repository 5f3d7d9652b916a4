package explain

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"

	"dettrace/internal/rerun"
)

//go:embed page.html
var pageText string

// branch is a directory or file in the tree of files that differ.
type branch struct {
	Name     string
	Path     string
	Causes   []int // numbers of causes, from 1
	Children []*branch
}

// HTML writes the report as a page that needs no other file.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"quote": rerun.Quote, "join": func(l []string) string { return strings.Join(l, ", ") },
		"inc": func(i int) int { return i + 1 }, "says": func(e Effect) string { return e.says() },
		"head": func(c Cause) string { return c.Headline() },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*Report
		Tree []*branch
	}{r, r.tree()})
}

// tree sorts the files that differ into directories, with what reaches them.
func (r *Report) tree() []*branch {
	root := &branch{}
	for _, f := range r.Files {
		at := root
		parts := strings.Split(f, "/")
		for i, name := range parts {
			k := slices.IndexFunc(at.Children, func(b *branch) bool { return b.Name == name })
			if k < 0 {
				at.Children = append(at.Children, &branch{Name: name, Path: strings.Join(parts[:i+1], "/")})
				k = len(at.Children) - 1
			}
			at = at.Children[k]
		}
		for n, c := range r.Causes {
			if slices.ContainsFunc(c.Places, func(p Place) bool { return p.of([]string{f}) }) {
				at.Causes = append(at.Causes, n+1)
			}
		}
	}
	return root.Children
}
