package rootfs

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ent is one entry of an archive to make.
type ent struct {
	tar.Header
	body string
}

func reg(name, body string) ent {
	return ent{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))}, body}
}

func dir(name string) ent {
	return ent{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o700}, ""}
}

func sym(name, to string) ent {
	return ent{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}, ""}
}

func hard(name, to string) ent {
	return ent{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}, ""}
}

func wh(name string) ent { return reg(name, "") }

func pack(t testing.TB, ents ...ent) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range ents {
		if e.ModTime.IsZero() && e.Typeflag != tar.TypeXGlobalHeader {
			e.ModTime = time.Unix(1000, 0)
		}
		must(t, w.WriteHeader(&e.Header))
		_, err := io.WriteString(w, e.body)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// memory keeps content in memory.
type memory map[[sha256.Size]byte]string

func (m memory) take(n *Node, _ *tar.Header, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err == nil && int64(len(b)) != n.Size {
		err = io.ErrUnexpectedEOF
	}
	n.Digest = sha256.Sum256(b)
	m[n.Digest] = string(b)
	return err
}

// apply applies layers, the lowest first.
func apply(layers ...[]byte) (*Tree, memory, error) {
	t, m := New(), memory{}
	for _, l := range layers {
		if err := t.Apply(bytes.NewReader(l), Options{Content: m.take, Layer: true, Budget: NewBudget(1<<20, 3000)}); err != nil {
			return nil, nil, err
		}
	}
	t.Number()
	return t, m, nil
}

// show is the tree in one line: "d/", "f=content", "l->target", "h==first".
func show(t *Tree, m memory) string {
	var out []string
	first := map[*Node]string{}
	_ = t.Walk(func(p string, n *Node) error {
		p = strings.TrimPrefix(p, "/")
		switch {
		case p == "":
			return nil
		case n.IsDir() && n.Implied:
			p += "/?"
		case n.IsDir():
			p += "/"
		case first[n] != "":
			p += "==" + first[n]
		case n.IsRegular():
			first[n] = p
			p += "=" + m[n.Digest]
		case n.Type() == unix.S_IFLNK:
			first[n] = p
			p += "->" + n.Target
		}
		out = append(out, p)
		return nil
	})
	return strings.Join(out, " ")
}

// TestNasty has one name for each thing that archives and layers do and that
// unpacking often gets wrong. Layers are divided by "|" in what is wanted of
// them: the tree after the last one.
func TestNasty(t *testing.T) {
	type layers [][]ent
	for _, tt := range []struct {
		name   string
		layers layers
		want   string
	}{
		{"whiteout of a file", layers{{reg("f", "x"), reg("g", "y")}, {wh(".wh.f")}}, "g=y"},
		{"whiteout of a directory", layers{{dir("d"), reg("d/f", "x")}, {wh(".wh.d")}}, ""},
		{"whiteout of nothing", layers{{reg("f", "x")}, {wh(".wh.g"), wh("no/.wh.g"), wh("f/.wh.g")}}, "f=x"},
		{"whiteout in its own layer hides nothing of it", layers{{reg("f", "x"), wh(".wh.f")}}, "f=x"},
		{"whiteout before a file of the layer", layers{{reg("f", "old")}, {wh(".wh.f"), reg("f", "new")}}, "f=new"},
		{"whiteout after a file of the layer", layers{{reg("f", "old")}, {reg("f", "new"), wh(".wh.f")}}, "f=new"},
		{"whiteout before a file below", layers{{dir("d"), reg("d/old", "x")}, {wh(".wh.d"), reg("d/new", "y")}}, "d/? d/new=y"},
		{"whiteout after a file below", layers{{dir("d"), reg("d/old", "x")}, {reg("d/new", "y"), wh(".wh.d")}}, "d/? d/new=y"},
		{"whiteout and a directory again", layers{{dir("d"), reg("d/old", "x")}, {wh(".wh.d"), dir("d")}}, "d/"},
		{"whiteout of one hard link", layers{{reg("f", "x"), hard("g", "f")}, {wh(".wh.f")}}, "g=x"},
		{"whiteout spares a new hard link to an old file", layers{{reg("f", "x")}, {hard("g", "f"), wh(".wh.f"), wh(".wh.g")}}, "g=x"},
		{"whiteout through a symlink of a lower layer", layers{{dir("d"), reg("d/f", "x"), sym("l", "d")}, {wh("l/.wh.f")}}, "d/ l->d"},
		{"whiteout in a directory that replaces a symlink", layers{{dir("e"), reg("e/f", "x"), sym("l", "e")}, {wh("l/.wh.f"), dir("l")}}, "e/ e/f=x l/"},
		{"opaque", layers{{dir("d"), reg("d/f", "x"), dir("d/s"), reg("d/s/g", "y")}, {dir("d"), wh("d/.wh..wh..opq"), reg("d/n", "z")}}, "d/ d/n=z"},
		{"opaque comes last", layers{{dir("d"), reg("d/f", "x")}, {dir("d"), reg("d/n", "z"), wh("d/.wh..wh..opq")}}, "d/ d/n=z"},
		{"opaque keeps what stands deep", layers{{dir("d"), dir("d/s"), reg("d/s/old", "x")}, {reg("d/s/new", "y"), wh("d/.wh..wh..opq")}}, "d/ d/s/? d/s/new=y"},
		{"opaque root", layers{{reg("f", "x")}, {wh(".wh..wh..opq"), reg("g", "y")}}, "g=y"},
		{"files of AUFS itself", layers{{wh(".wh..wh.aufs"), dir(".wh..wh.plnk"), reg(".wh..wh.plnk/1.2", "x"), hard("f", ".wh..wh.plnk/1.2"), wh(".wh..wh.orph")}}, "f=x"},
		{"hard link into a lower layer", layers{{dir("d"), reg("d/f", "x")}, {hard("g", "d/f")}}, "d/ d/f=x g==d/f"},
		{"hard link whose target is replaced above", layers{{reg("f", "x"), hard("g", "f")}, {reg("f", "y")}}, "f=y g=x"},
		{"hard link to a symlink", layers{{sym("l", "/nowhere")}, {hard("m", "l")}}, "l->/nowhere m==l"},
		{"hard link by a name through a symlink", layers{{dir("d"), reg("d/f", "x"), sym("l", "d")}, {hard("g", "l/f")}}, "d/ d/f=x g==d/f l->d"},
		{"file below a symlink of a lower layer", layers{{dir("usr"), dir("usr/lib"), sym("lib", "usr/lib")}, {reg("lib/f", "x")}}, "lib->usr/lib usr/ usr/lib/ usr/lib/f=x"},
		{"file below a dangling symlink", layers{{sym("var", "/run/v")}, {reg("var/f", "x")}}, "run/? run/v/? run/v/f=x var->/run/v"},
		{"directory over a symlink of a lower layer", layers{{dir("d"), sym("l", "d")}, {dir("l"), reg("l/f", "x")}}, "d/ l/ l/f=x"},
		{"symlink over a directory", layers{{dir("d"), reg("d/f", "x")}, {sym("d", "e")}}, "d->e"},
		{"file over a directory", layers{{dir("d"), reg("d/f", "x")}, {reg("d", "y")}}, "d=y"},
		{"directory over a file", layers{{reg("d", "x")}, {dir("d"), reg("d/f", "y")}}, "d/ d/f=y"},
		{"directory again keeps what is in it", layers{{dir("d"), reg("d/f", "x")}, {dir("d")}}, "d/ d/f=x"},
		{"entry twice", layers{{reg("f", "1"), dir("f"), reg("f", "3")}}, "f=3"},
		{"entries in no order", layers{{reg("a/b/f", "x"), dir("a/b"), dir("a"), dir("./")}}, "a/ a/b/ a/b/f=x"},
		{"missing parents", layers{{reg("a/b/f", "x")}}, "a/? a/b/? a/b/f=x"},
		{"an implied directory that is emptied", layers{{reg("a/f", "x")}, {wh("a/.wh.f")}}, "a/"},
		{"names with dots and slashes", layers{{dir("./"), dir("/d/"), reg("d//./f", "x"), reg("d/../g", "y")}}, "d/ d/f=x g=y"},
		{"names that lead out stay in", layers{{reg("../../f", "x"), reg("/../g", "y"), reg("d/../../../h", "z")}}, "f=x g=y h=z"},
		{"symlinks that lead out stay in", layers{{sym("l", "../../../.."), sym("m", "/")}, {reg("l/f", "x"), reg("m/g", "y")}}, "f=x g=y l->../../../.. m->/"},
		{"hard link that leads out stays in", layers{{reg("f", "x")}, {hard("g", "../../../f")}}, "f=x g==f"},
		{"symlink to itself is only a link", layers{{sym("l", "l")}}, "l->l"},
		{"a name of 255 bytes", layers{{reg(strings.Repeat("n", 255), "x")}}, strings.Repeat("n", 255) + "=x"},
		{"a path of 3000 bytes", layers{{reg(strings.Repeat(strings.Repeat("p", 99)+"/", 30)+"f", "x"), wh(".wh." + strings.Repeat("p", 99))}, {wh(".wh." + strings.Repeat("p", 99))}}, ""},
		{"names of any bytes", layers{{reg("a\xff\n b", "x")}}, "a\xff\n b=x"},
		{"a file called like a kept prefix", layers{{reg(".who", "x"), reg("d/wh.x", "y")}}, ".who=x d/? d/wh.x=y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var archives [][]byte
			for _, l := range tt.layers {
				archives = append(archives, pack(t, l...))
			}
			tree, m, err := apply(archives...)
			must(t, err)
			if got := show(tree, m); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			rewrite(t, tree)
		})
	}
}

// rewrite reads the manifest of a tree and compares it with the next one.
func rewrite(t *testing.T, tree *Tree) {
	t.Helper()
	var a, b bytes.Buffer
	must(t, tree.WriteManifest(&a, `{"User":"u"}`))
	again, config, err := ReadManifest(bytes.NewReader(a.Bytes()))
	must(t, err)
	must(t, again.WriteManifest(&b, config))
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("manifest is not read as it was written:\n%s\n%s", a.Bytes(), b.Bytes())
	}
}

func TestHostile(t *testing.T) {
	loop := []ent{sym("a", "b"), sym("b", "a")}
	deep := strings.Repeat("d/", 2100)
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"hard link to the host", pack(t, hard("g", "/etc/passwd")), "does not come before"},
		{"hard link out of the tree", pack(t, hard("g", "../../../../etc/passwd")), "does not come before"},
		{"hard link to a later file", pack(t, hard("g", "f"), reg("f", "x")), "does not come before"},
		{"hard links in a circle", pack(t, hard("g", "f"), hard("f", "g")), "does not come before"},
		{"hard link to a directory", pack(t, dir("d"), hard("g", "d")), "is a directory"},
		{"symlinks in a circle", pack(t, append(loop, reg("a/f", "x"))...), "too many levels"},
		{"a file as directory", pack(t, reg("f", "x"), reg("f/g", "y")), "not a directory"},
		{"the root as file", pack(t, reg("/.", "x")), "not a directory"},
		{"the root as hard link", pack(t, reg("f", "x"), hard("/.", "f")), "is a directory"},
		{"a name of 256 bytes", pack(t, reg(strings.Repeat("n", 256), "x")), "name too long"},
		{"a path of 4200 bytes", pack(t, reg(deep+"f", "x")), "name too long"},
		{"a path that symlinks make long", pack(t, dir(strings.Repeat("d/", 1900)), sym("l", strings.Repeat("d/", 1900)), reg("l/"+strings.Repeat("e/", 200)+"f", "x")), "name too long"},
		{"a symlink to nothing", pack(t, ent{tar.Header{Typeflag: tar.TypeSymlink, Name: "l"}, ""}), "no valid target"},
		{"a symlink of 5000 bytes", pack(t, sym("l", strings.Repeat("x", 5000))), "no valid target"},
		{"a device number out of range", pack(t, ent{tar.Header{Typeflag: tar.TypeChar, Name: "c", Devmajor: 1 << 13}, ""}), "out of range"},
		{"an owner out of range", pack(t, ent{tar.Header{Typeflag: tar.TypeDir, Name: "d", Uid: math.MaxUint32, Format: tar.FormatPAX}, ""}), "out of range"},
		{"a whiteout of the directory itself", pack(t, wh("d/.wh..")), "whiteout of nothing"},
		{"a whiteout of its parent", pack(t, wh("d/.wh...")), "whiteout of nothing"},
		{"a whiteout without a name", pack(t, wh("d/.wh.")), "whiteout of nothing"},
		{"a bomb of content", pack(t, reg("f", strings.Repeat("x", 600<<10)), reg("g", strings.Repeat("x", 600<<10))), "too much content"},
		{"a bomb of entries", pack(t, slicesOf(3001, reg("f", ""))...), "too many entries"},
		{"a bomb of a hole", sparseBomb(t), "too much content"},
		{"a header of 2 MB", hugeHeader(t), "header"},
		{"an attribute of 100 kB", pack(t, ent{tar.Header{Typeflag: tar.TypeDir, Name: "d", PAXRecords: map[string]string{"SCHILY.xattr.user.x": strings.Repeat("v", 100<<10)}}, ""}), "argument list too long"},
		{"an unknown type", unknownType(t), "unknown type"},
		{"cut off in a header", pack(t, reg("f", "x"), reg("g", "y"))[:1300], "unexpected EOF"},
		{"cut off in content", pack(t, reg("f", strings.Repeat("x", 5000)))[:2000], "unexpected EOF"},
		{"a damaged header", append(append([]byte{}, pack(t, reg("f", "x"))[:1024]...), bytes.Repeat([]byte("garbage!"), 200)...), "invalid tar header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := apply(tt.b)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if strings.Contains(tt.name, "bomb") && hint.Of(err) == "" {
				t.Error("no hint")
			}
		})
	}
}

func slicesOf(n int, e ent) (out []ent) {
	for range n {
		out = append(out, e)
	}
	return out
}

// sparseBomb is a file of 1 TB in a few hundred bytes (GNU sparse format 0.1).
func sparseBomb(t *testing.T) []byte {
	var b bytes.Buffer
	record := func(k, v string) string {
		s := " " + k + "=" + v + "\n"
		n := len(s)
		for n != len(s)+len(itoa(n)) {
			n = len(s) + len(itoa(n))
		}
		return itoa(n) + s
	}
	body := record("GNU.sparse.size", "1099511627776") + record("GNU.sparse.numblocks", "1") + record("GNU.sparse.map", "1099511627775,1")
	raw := func(typ byte, name, content string) {
		one := pack(t, reg(name, content))
		h := one[:512]
		h[156] = typ
		sum := 0
		copy(h[148:156], "        ")
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:156], []byte("0"+strings.ToLower(oct(sum))+"\x00 "))
		b.Write(one[:512+(len(content)+511)/512*512])
	}
	raw('x', "pax", body)
	raw('0', "f", "x")
	b.Write(make([]byte, 1024))
	return b.Bytes()
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func oct(n int) (s string) {
	for range 6 {
		s = string(rune('0'+n%8)) + s
		n /= 8
	}
	return s[1:]
}

func hugeHeader(t *testing.T) []byte {
	b := pack(t, ent{tar.Header{Typeflag: tar.TypeDir, Name: "d", PAXRecords: map[string]string{"comment.x": strings.Repeat("c", 900<<10)}}, ""})
	i := bytes.Index(b, []byte("comment.x"))
	if i < 0 {
		t.Fatal("no record")
	}
	// The header before the record says 2 MB.
	h := b[:512]
	copy(h[124:136], "00010000000\x00")
	sum := 0
	copy(h[148:156], "        ")
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], []byte("0"+oct(sum)+"\x00 "))
	return append(b, make([]byte, 2<<20)...)
}

func unknownType(t *testing.T) []byte {
	b := pack(t, reg("f", ""))
	b[156] = 'Z'
	sum := 0
	copy(b[148:156], "        ")
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:156], []byte("0"+oct(sum)+"\x00 "))
	return b
}

// An archive that is cut off between two entries is not taken for a smaller one.
func TestNoEnd(t *testing.T) {
	whole := pack(t, reg("f", "x"), reg("g", strings.Repeat("y", 600)), reg("zeros", strings.Repeat("\x00", 512)))
	for cut := 0; cut <= len(whole); cut += 256 {
		for _, r := range []io.Reader{bytes.NewReader(whole[:cut]), io.MultiReader(bytes.NewReader(whole[:cut]))} {
			for name, take := range map[string]func(*Node, *tar.Header, io.Reader) error{
				"read": memory{}.take, "skipped": func(*Node, *tar.Header, io.Reader) error { return nil },
			} {
				_, seeks := r.(io.Seeker)
				if name == "skipped" && !seeks {
					continue // content is read then by all callers
				}
				if seeks {
					r = bytes.NewReader(whole[:cut])
				} else {
					r = io.MultiReader(bytes.NewReader(whole[:cut]))
				}
				err := New().Apply(r, Options{Content: take})
				// One block of zeros is enough, two are the rule.
				if want := cut < len(whole)-512 || cut%512 != 0; (err != nil) != want {
					t.Errorf("%d of %d bytes, content %s: %v", cut, len(whole), name, err)
				}
			}
		}
	}
}

// TestMetadata: what an entry says is in the manifest to the last bit.
func TestMetadata(t *testing.T) {
	at := func(name string, when time.Time) ent {
		return ent{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: when, Format: tar.FormatPAX}, ""}
	}
	tree, _, err := apply(pack(t,
		ent{tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o1777, Uid: 3_000_000_000, Gid: math.MaxUint32 - 1, ModTime: time.Unix(1, 0), Format: tar.FormatPAX}, ""},
		at("before 1970", time.Unix(-5, 250_000_000)),
		at("nanoseconds", time.Unix(1234567890, 123456789)),
		at("year 1000", time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)),
		at("year 3000", time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)),
		ent{tar.Header{Typeflag: tar.TypeReg, Name: "set\tid", Mode: 0o6755, ModTime: time.Unix(1, 0), Format: tar.FormatPAX,
			PAXRecords: map[string]string{"SCHILY.xattr.user.b": "2\x00 \\", "SCHILY.xattr.user.a": "", "SCHILY.xattr.user.e%3Dq": "x"}}, ""},
		ent{tar.Header{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3, ModTime: time.Unix(1, 0)}, ""},
		ent{tar.Header{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 4095, Devminor: 1<<20 - 1, ModTime: time.Unix(1, 0)}, ""},
		ent{tar.Header{Typeflag: tar.TypeFifo, Name: "fifo", Mode: 0o600, ModTime: time.Unix(1, 0)}, ""},
		sym("link", "to \\here"),
	))
	must(t, err)
	empty := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	want := "dettrace-image 1\n" +
		"/ d 1777 3000000000 4294967294 1000000000\n" +
		`/before\0401970 f 0644 0 0 -4750000000 0 ` + empty + "\n" +
		"/fifo p 0600 0 0 1000000000\n" +
		`/link l 0777 0 0 1000000000000 to\040\134here` + "\n" +
		"/nanoseconds f 0644 0 0 1234567890123456789 0 " + empty + "\n" +
		"/null c 0666 0 0 1000000000 1,3\n" +
		"/sda b 0000 0 0 1000000000 4095,1048575\n" +
		`/set\011id f 6755 0 0 1000000000 0 ` + empty + "\n x user.a \n" + ` x user.b 2\000\040\134` + "\n x user.e=q x\n" +
		`/year\0401000 f 0644 0 0 -9223372036854775808 0 ` + empty + "\n" +
		`/year\0403000 f 0644 0 0 9223372036854775807 0 ` + empty + "\n"
	var b bytes.Buffer
	must(t, tree.WriteManifest(&b, ""))
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	rewrite(t, tree)
}

func TestSkip(t *testing.T) {
	tree, m := New(), memory{}
	must(t, tree.Apply(bytes.NewReader(pack(t, dir("a"), reg("a/f", "x"), dir("b"), reg("b/f", "y"))), Options{Content: m.take}))
	must(t, tree.Apply(bytes.NewReader(pack(t, wh("a/.wh.f"), reg("b/g", "z"), dir("a/n"), wh(".wh.b"))),
		Options{Content: m.take, Layer: true, Skip: func(p string) bool { return p == "/a" || strings.HasPrefix(p, "/a/") }}))
	if got := show(tree, m); got != "a/ a/f=x b/? b/g=z" {
		t.Error(got)
	}
}

func TestReadManifestBroken(t *testing.T) {
	good := Magic + "/ d 0755 0 0 0\n"
	for _, s := range []string{
		"", "x", Magic, Magic + "/ f 0644 0 0 0 0 00\n", good + "/a/b d 0755 0 0 0\n", good + "a d 0755 0 0 0\n",
		good + "/a d 0755 0 0\n", good + "/a d 9 0 0 0\n", good + "/a q 0755 0 0 0\n", good + "/a  0755 0 0 0\n",
		good + "/a h /b\n", good + "/a h /\n", good + "/a l 0777 0 0 0\n", good + "/a c 0644 0 0 0 1\n", good + "/a c 0644 0 0 0 1,x\n",
		good + "/a f 0644 0 0 0 -1 " + strings.Repeat("0", 64) + "\n", good + "/a f 0644 0 0 - 1 " + strings.Repeat("0", 64) + "\n",
		good + " x a\n", Magic + " x a b\n", good + "/a\\9 d 0755 0 0 0\n", good + "/a\\777 d 0755 0 0 0\n", good + "/a\\0", good + "/../a d 0755 0 0 0\n",
		good + "/a\\000b d 0755 0 0 0\n", good + "/ d 0755 0 0 0\n",
	} {
		if _, _, err := ReadManifest(strings.NewReader(s)); err == nil {
			t.Errorf("no error:\n%s", s)
		}
	}
}

// What an archive only implies, and what is no content, is bounded, too.
func TestBudget(t *testing.T) {
	deep := reg(strings.Repeat("a/", 300)+"f", "")
	attr := reg("f", "")
	attr.PAXRecords = map[string]string{"SCHILY.xattr.user.a": strings.Repeat("x", 60_000)}
	for name, b := range map[string]struct {
		budget Budget
		e      ent
	}{
		"implied directories":          {Budget{1 << 20, 200, 1 << 20}, deep},
		"names of implied directories": {Budget{1 << 20, 1000, 50_000}, deep},
		"attributes":                   {Budget{1 << 20, 1000, 50_000}, attr},
		"targets":                      {Budget{1 << 20, 1000, 1000}, sym("l", strings.Repeat("x", 2000))},
		"content":                      {Budget{1 << 10, 1000, 1 << 20}, reg("f", strings.Repeat("x", 2000))},
	} {
		tree, m := New(), memory{}
		err := tree.Apply(bytes.NewReader(pack(t, b.e)), Options{Content: m.take, Budget: &b.budget})
		if err == nil || !strings.Contains(err.Error(), "too m") || hint.Of(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add(pack(f, dir("d"), reg("d/f", "x"), hard("g", "d/f"), sym("s", "d"), reg("s/k", "y"), wh("d/.wh.f")), []byte(nil))
	f.Add(pack(f, reg("a/f", "x"), sym("l", "a")), pack(f, wh("l/.wh.f"), wh(".wh..wh..opq"), dir("l"), hard("h", "a/f")))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		tree, m := New(), memory{}
		budget := NewBudget(1<<20, 1000)
		for _, l := range [][]byte{a, b} {
			if tree.Apply(bytes.NewReader(l), Options{Content: m.take, Layer: true, Budget: budget}) != nil {
				return
			}
		}
		tree.Number()
		rewrite(t, tree)
		_ = tree.Walk(func(p string, n *Node) error {
			if len(p) > maxPath+1 || n.Nlink < 1 || n.IsDir() && n.Nlink != 1 {
				t.Errorf("%q: %+v", p, n)
			}
			return nil
		})
	})
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(Magic + "config {}\n/ d 0755 0 0 -\n/a f 0644 1 2 3 0 " + strings.Repeat("0", 64) + "\n x user.x v\n/b h /a\n/c c 0600 0 0 0 1,2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, config, err := ReadManifest(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		must(t, tree.WriteManifest(&again, config))
	})
}

var errSink = errors.New("sink")

// An error of the caller's comes through.
func TestContentError(t *testing.T) {
	err := New().Apply(bytes.NewReader(pack(t, reg("f", "x"))), Options{Content: func(*Node, *tar.Header, io.Reader) error { return errSink }})
	if !errors.Is(err, errSink) || !strings.Contains(err.Error(), `"f"`) {
		t.Error(err)
	}
}
