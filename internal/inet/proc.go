package inet

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// ProcLines are the lines of /proc/net/tcp, tcp6, udp or udp6 (proc_pid_net(5))
// in order of creation. inode translates the number of a unix socket.
func (t *Table) ProcLines(name string, inode func(uint64) uint64) []byte {
	var stream bool
	family := unix.AF_INET
	switch name {
	case "tcp", "tcp6":
		stream = true
	case "udp", "udp6":
	default:
		return nil
	}
	if name[len(name)-1] == '6' {
		family = unix.AF_INET6
	}
	if t.Empty() {
		return nil
	}
	t.Sweep()
	all := slices.SortedFunc(maps.Values(t.sockets), func(a, b *Socket) int { return cmp.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	n := 0
	for _, s := range all {
		if s.Family != family || s.Stream() != stream || !s.Bound() || stream && s.State != Listening && !s.Remote.IsValid() {
			continue
		}
		b.WriteString(s.procLine(n, inode(s.Inode)))
		n++
	}
	return b.Bytes()
}

func (s *Socket) procLine(n int, inode uint64) string {
	state, rx := tcpClose, 0
	if s.Stream() {
		if state = tcpEstablished; s.State == Listening {
			state = tcpListen
		}
	} else {
		rx = s.queued
		if s.Remote.IsValid() {
			state = tcpEstablished
		}
	}
	line := fmt.Sprintf("%s %s %02X 00000000:%08X 00:00000000 00000000 %5d        0 %d ", hexAddr(s.Family, s.Local), hexAddr(s.Family, s.Remote), state, rx, s.UID, inode)
	if s.Stream() {
		line = fmt.Sprintf("%4d: %s1 0000000000000000 20 4 30 10 -1", n, line)
		if s.State == Listening {
			line = line[:len(line)-len("20 4 30 10 -1")] + "100 0 0 10 0"
		}
		if s.Family == unix.AF_INET {
			line = fmt.Sprintf("%-149s", line)
		}
		return line + "\n"
	}
	line = fmt.Sprintf("%5d: %s2 0000000000000000 0", n, line)
	if s.Family == unix.AF_INET {
		line = fmt.Sprintf("%-127s", line)
	}
	return line + "\n"
}

// hexAddr prints the words of an address as numbers of this machine.
func hexAddr(family int, a netip.AddrPort) string {
	v := make([]byte, 4)
	if family == unix.AF_INET6 {
		v = make([]byte, 16)
	}
	if ip := a.Addr(); ip.IsValid() {
		if family == unix.AF_INET6 {
			x := ip.As16()
			copy(v, x[:])
		} else {
			x := ip.As4()
			copy(v, x[:])
		}
	}
	out := ""
	for i := 0; i < len(v); i += 4 {
		out += fmt.Sprintf("%08X", binary.LittleEndian.Uint32(v[i:]))
	}
	return fmt.Sprintf("%s:%04X", out, a.Port())
}
