package explain

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"

	"dettrace/internal/compare"
	"dettrace/internal/rerun"
)

//go:embed page.html
var pageText string

// branch is a directory or file in the tree of files that differ.
type branch struct {
	Name     string
	Path     string
	Causes   []int // numbers of causes, from 1
	Modes    []int // those that reach the mode
	Mode     bool  // it differs
	Children []*branch
}

// HTML writes the report as a page that needs no other file.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"quote": rerun.Quote, "join": func(l []string) string { return strings.Join(l, ", ") },
		"inc": func(i int) int { return i + 1 }, "says": func(e Effect) string { return e.says() },
		"head": func(c Cause) string { return c.Headline() },
		"byte": func(p Place) any {
			if slices.Contains(p.Kinds, compare.Content) {
				return p.Offset
			}
			return ""
		},
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
		file, mode := strings.CutSuffix(f, modeOf)
		parts := strings.Split(file, "/")
		for i, name := range parts {
			k := slices.IndexFunc(at.Children, func(b *branch) bool { return b.Name == name })
			if k < 0 {
				at.Children = append(at.Children, &branch{Name: name, Path: strings.Join(parts[:i+1], "/")})
				k = len(at.Children) - 1
			}
			at = at.Children[k]
		}
		list := &at.Causes
		if mode {
			at.Mode, list = true, &at.Modes
		}
		for n, c := range r.Causes {
			if slices.ContainsFunc(c.Places, func(p Place) bool { return p.of([]string{f}) }) {
				*list = append(*list, n+1)
			}
		}
	}
	return root.Children
}
