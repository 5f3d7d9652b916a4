package rootfs

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadManifest parses what WriteManifest wrote and gives the tree, numbered,
// and its config. A manifest has one form only; but for order and number of
// blanks that form is checked by whoever knows its digest.
func ReadManifest(r io.Reader) (*Tree, string, error) {
	p := &parser{r: bufio.NewReaderSize(r, 256<<10), nodes: make(map[string]*Node)}
	t, config, err := p.parse()
	if err != nil {
		return nil, "", fmt.Errorf("manifest: line %d: %w", p.line, err)
	}
	t.Number()
	return t, config, nil
}

type parser struct {
	r     *bufio.Reader
	line  int
	nodes map[string]*Node // by path
	last  *Node
}

var errForm = errors.New("broken")

func (p *parser) next() (string, error) {
	p.line++
	s, err := p.r.ReadString('\n')
	if err == io.EOF && s != "" {
		return "", io.ErrUnexpectedEOF
	}
	return strings.TrimSuffix(s, "\n"), err
}

func (p *parser) parse() (*Tree, string, error) {
	head, err := p.next()
	if err != nil || head != strings.TrimSuffix(Magic, "\n") {
		return nil, "", fmt.Errorf("no manifest of this version: %w", errForm)
	}
	t := &Tree{}
	config := ""
	for {
		s, err := p.next()
		switch {
		case err == io.EOF:
			if t.Root == nil {
				return nil, "", errForm
			}
			return t, config, nil
		case err != nil:
			return nil, "", err
		case p.line == 2 && strings.HasPrefix(s, "config "):
			config = s[len("config "):]
		case strings.HasPrefix(s, " x "):
			err = p.xattr(strings.Split(s[3:], " "))
		default:
			err = p.entry(t, strings.Split(s, " "))
		}
		if err != nil {
			return nil, "", err
		}
	}
}

func (p *parser) xattr(f []string) error {
	if p.last == nil || len(f) != 2 {
		return errForm
	}
	name, err := unescape(f[0])
	if err != nil {
		return err
	}
	value, err := unescape(f[1])
	p.last.Xattrs = append(p.last.Xattrs, Xattr{name, []byte(value)})
	return err
}

func (p *parser) entry(t *Tree, f []string) error {
	at, err := unescape(f[0])
	if err != nil || len(f) < 3 || at != path.Clean(at) || at[0] != '/' || strings.Contains(at, "\x00") {
		return errForm
	}
	n, err := p.node(f)
	if err != nil {
		return err
	}
	p.last = n
	if p.nodes[at] != nil {
		return errForm
	}
	p.nodes[at] = n
	if at == "/" {
		t.Root = n
		if !n.IsDir() {
			return errForm
		}
		return nil
	}
	d := p.nodes[path.Dir(at)]
	if d == nil || !d.IsDir() {
		return errForm
	}
	d.Add(path.Base(at), n)
	return nil
}

func (p *parser) node(f []string) (*Node, error) {
	if f[1] == "h" && len(f) == 3 {
		to, err := unescape(f[2])
		n := p.nodes[to]
		if err != nil || n == nil || n.IsDir() {
			return nil, errForm
		}
		return n, nil
	}
	if len(f) < 6 || len(f[1]) != 1 {
		return nil, errForm
	}
	i := strings.IndexByte(typeLetters, f[1][0])
	if i < 0 {
		return nil, errForm
	}
	var errs [4]error
	var mode, uid, gid uint64
	n := NewDir()
	mode, errs[0] = strconv.ParseUint(f[2], 8, 12)
	uid, errs[1] = strconv.ParseUint(f[3], 10, 32)
	gid, errs[2] = strconv.ParseUint(f[4], 10, 32)
	if n.Implied = f[5] == "-"; !n.Implied {
		n.Mtime, errs[3] = strconv.ParseInt(f[5], 10, 64)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	n.Mode, n.UID, n.GID = types()[i]|uint32(mode), uint32(uid), uint32(gid)
	if !n.IsDir() {
		n.children = nil
		if n.Implied {
			return nil, errForm
		}
	}
	return n, n.parseRest(f[6:])
}

// parseRest reads the fields that depend on the type.
func (n *Node) parseRest(f []string) (err error) {
	want := map[uint32]int{unix.S_IFREG: 2, unix.S_IFLNK: 1, unix.S_IFCHR: 1, unix.S_IFBLK: 1}[n.Type()]
	if len(f) != want {
		return errForm
	}
	switch n.Type() {
	case unix.S_IFREG:
		sum, err := hex.DecodeString(f[1])
		if err != nil || len(sum) != len(n.Digest) {
			return errForm
		}
		copy(n.Digest[:], sum)
		n.Size, err = strconv.ParseInt(f[0], 10, 64)
		if n.Size < 0 {
			return errForm
		}
		return err
	case unix.S_IFLNK:
		n.Target, err = unescape(f[0])
		return err
	case unix.S_IFCHR, unix.S_IFBLK:
		major, minor, ok := strings.Cut(f[0], ",")
		a, err := strconv.ParseUint(major, 10, 12)
		if err != nil || !ok {
			return errForm
		}
		b, err := strconv.ParseUint(minor, 10, 20)
		n.Rdev = unix.Mkdev(uint32(a), uint32(b))
		return err
	}
	return nil
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i+4 > len(s) {
			return "", errForm
		}
		c, err := strconv.ParseUint(s[i+1:i+4], 8, 9)
		if err != nil || c > math.MaxUint8 {
			return "", errForm
		}
		b.WriteByte(byte(c))
		i += 3
	}
	return b.String(), nil
}
