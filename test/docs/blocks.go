package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Block is a block of code in a document.
type Block struct {
	File    string // base name
	Line    int
	Section string // heading of level two that it is below
	Text    string
	Exits   int
	After   []string
	Images  []string
	Repo    bool   // run in the repository
	Real    bool   // needs the image of test/real
	Output  bool   // is what the block before it prints
	Content bool   // is that of a file
	NotRun  string // why not
}

// Script reports whether the block holds commands that a test can run.
func (b Block) Script() bool { return !b.Output && !b.Content && b.NotRun == "" }

// Files are the documents whose blocks are run; root is the repository.
func Files(root string) ([]string, error) {
	howtos, err := filepath.Glob(filepath.Join(root, "docs", "howto*.md"))
	return append([]string{filepath.Join(root, "README.md")}, howtos...), err
}

// Blocks finds the blocks of a document, indented or fenced, in order.
func Blocks(path string) ([]Block, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := parser{file: filepath.Base(path)}
	for i, line := range strings.Split(string(raw), "\n") {
		if err := p.line(i+1, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", p.file, i+1, err)
		}
	}
	p.end()
	if p.fenced || len(p.directives) > 0 {
		return nil, fmt.Errorf("%s: it ends inside a block or before one", p.file)
	}
	return p.blocks, nil
}

const mark = "<!-- docs-test: "

type parser struct {
	file, section string
	blocks        []Block
	open          *Block
	blank         int  // lines without text at the end of the open block
	afterText     bool // the line before is text, so that an indented line goes on with it
	fenced        bool
	directives    []string
}

func (p *parser) line(n int, line string) error {
	if p.fenced {
		if strings.HasPrefix(line, "```") {
			p.fenced = false
			p.end()
			return nil
		}
		p.open.Text += line + "\n"
		return nil
	}
	code, indented := strings.CutPrefix(line, "    ")
	switch {
	case strings.TrimSpace(line) == "":
		p.afterText = false
		if p.open != nil {
			p.blank++
		}
		return nil
	case indented && p.open != nil:
		p.open.Text += strings.Repeat("\n", p.blank) + code + "\n"
		p.blank = 0
		return nil
	case indented && !p.afterText:
		p.blank = 0
		return p.begin(n, code+"\n")
	}
	p.end()
	if text, ok := strings.CutPrefix(line, mark); ok {
		text, ok = strings.CutSuffix(text, " -->")
		if !ok {
			return fmt.Errorf("the comment does not end on its line")
		}
		p.directives = strings.Split(text, "; ")
		return nil
	}
	if strings.HasPrefix(line, "```") {
		p.fenced = true
		return p.begin(n, "")
	}
	if len(p.directives) > 0 {
		return fmt.Errorf("no block after %q", p.directives)
	}
	if heading, ok := strings.CutPrefix(line, "## "); ok {
		p.section = heading
	}
	p.afterText = !strings.HasPrefix(line, "#")
	return nil
}

func (p *parser) begin(n int, text string) error {
	b := Block{File: p.file, Line: n, Section: p.section, Text: text}
	for _, d := range p.directives {
		word, rest, _ := strings.Cut(d, " ")
		switch {
		case d == "output":
			b.Output = true
		case d == "file":
			b.Content = true
		case d == "real":
			b.Real = true
		case d == "in repository":
			b.Repo = true
		case word == "after" && rest != "":
			b.After = append(b.After, rest)
		case word == "image" && rest != "":
			b.Images = append(b.Images, rest)
		case strings.HasPrefix(d, "not run: "):
			if b.NotRun = strings.TrimPrefix(d, "not run: "); len(strings.Fields(b.NotRun)) < 3 {
				return fmt.Errorf("%q: that is no reason", d)
			}
		case word == "exits":
			var err error
			if b.Exits, err = strconv.Atoi(rest); err != nil {
				return fmt.Errorf("%q: %w", d, err)
			}
		default:
			return fmt.Errorf("unknown directive %q", d)
		}
	}
	p.directives, p.open, p.afterText = nil, &b, false
	return nil
}

// end closes the open block.
func (p *parser) end() {
	if p.open != nil {
		p.blocks = append(p.blocks, *p.open)
		p.open = nil
	}
}

// Sections divides blocks by file and section, in order.
func Sections(list []Block) [][]Block {
	var out [][]Block
	for i, b := range list {
		if i == 0 || b.File != list[i-1].File || b.Section != list[i-1].Section {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], b)
	}
	return out
}

// NeedsTree reports whether a block of them needs an image of Debian.
func NeedsTree(list []Block) bool {
	return slices.ContainsFunc(list, func(b Block) bool { return b.Real })
}
