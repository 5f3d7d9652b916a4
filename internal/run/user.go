package run

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dettrace/internal/detfs"
)

// user is the identity of the guest's first process.
type user struct {
	uid, gid   uint32
	groups     []uint32
	name, home string
}

// resolveUser turns "" or USER[:GROUP] into ids; names are looked up in
// the guest's own /etc/passwd and /etc/group.
func resolveUser(s string, fs *detfs.Client) (user, error) {
	if s == "" || s == "0" || s == "0:0" || s == "root" {
		return user{name: "root", home: "/root"}, nil
	}
	files, err := readGuest(fs, "/etc/passwd", "/etc/group")
	if err != nil {
		return user{}, fmt.Errorf("user %q: %w", s, err)
	}
	passwd := records(files["/etc/passwd"], 7)
	who, group, hasGroup := strings.Cut(s, ":")
	u := user{name: who, home: "/"}
	if id, err := strconv.ParseUint(who, 10, 32); err == nil {
		u.uid, u.gid = uint32(id), uint32(id)
		for _, r := range passwd {
			if r[2] == who {
				u.name, u.home = r[0], r[5]
				u.gid = number(r[3], u.gid)
				break
			}
		}
	} else {
		found := false
		for _, r := range passwd {
			if r[0] == who {
				u.uid, u.gid, u.home = number(r[2], 0), number(r[3], 0), r[5]
				found = true
				break
			}
		}
		if !found {
			return user{}, fmt.Errorf("user %q is not in the image's /etc/passwd", who)
		}
	}
	if hasGroup {
		if u.gid, err = groupID(group, files["/etc/group"]); err != nil {
			return user{}, err
		}
	}
	for _, r := range records(files["/etc/group"], 4) {
		for _, m := range strings.Split(r[3], ",") {
			if m == u.name {
				u.groups = append(u.groups, number(r[2], 0))
			}
		}
	}
	return u, nil
}

func groupID(group string, file []byte) (uint32, error) {
	if id, err := strconv.ParseUint(group, 10, 32); err == nil {
		return uint32(id), nil
	}
	for _, r := range records(file, 4) {
		if r[0] == group {
			return number(r[2], 0), nil
		}
	}
	return 0, fmt.Errorf("group %q is not in the image's /etc/group", group)
}

// environ adds HOME, USER and LOGNAME where the environment has none.
func (u *user) environ(env []string) []string {
	set := func(k, v string) {
		for _, e := range env {
			if strings.HasPrefix(e, k+"=") {
				return
			}
		}
		env = append(env, k+"="+v)
	}
	set("HOME", u.home)
	set("USER", u.name)
	set("LOGNAME", u.name)
	return env
}

func number(s string, def uint32) uint32 {
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return def
	}
	return uint32(v)
}

// records splits a colon-separated file; short lines are left out.
func records(b []byte, fields int) [][]string {
	var out [][]string
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Split(l, ":"); len(f) >= fields {
			out = append(out, f)
		}
	}
	return out
}

// readGuest reads small files of the guest's tree; missing ones are empty.
func readGuest(fs *detfs.Client, paths ...string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, p := range paths {
		found, err := fs.Glob(p)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		var buf bytes.Buffer
		if err := fs.WriteTar(&buf, detfs.TarRequest{Paths: []string{p}}); err != nil {
			return nil, err
		}
		tr := tar.NewReader(&buf)
		if h, err := tr.Next(); err == nil && h.Typeflag == tar.TypeReg {
			if out[p], err = io.ReadAll(io.LimitReader(tr, 4<<20)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// ownInputs gives what the user works on to the user.
func (c *container) ownInputs() error {
	if c.user.uid == 0 && c.user.gid == 0 {
		return nil
	}
	return c.fs.OwnInputs(c.user.uid, c.user.gid, append([]string{c.spec.Workdir}, c.spec.Own...)...)
}
