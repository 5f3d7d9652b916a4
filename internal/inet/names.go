package inet

import (
	"net/netip"
	"strconv"
	"strings"
)

// Reserved begins the abstract unix names that sockets of this package have,
// as package unix writes them (@ is the zero byte).
// The guest can use none of them.
const Reserved = "@dettrace:"

func base36(n uint64) string { return strconv.FormatUint(n, 36) }

// ClientName is the unix name of a connecting TCP socket. It holds both
// addresses: the accepting side learns them from the kernel with the
// connection itself, however late it accepts.
func (s *Socket) ClientName() string {
	return Reserved + "c" + base36(s.ID) + " " + s.Local.String() + " " + s.Remote.String()
}

// ParseClientName gives the two addresses of a connection, as its client
// sees them.
func ParseClientName(name string) (local, remote netip.AddrPort, ok bool) {
	rest, ok := strings.CutPrefix(name, Reserved+"c")
	if !ok {
		return local, remote, false
	}
	f := strings.Split(rest, " ")
	if len(f) != 3 {
		return local, remote, false
	}
	local, err1 := netip.ParseAddrPort(f[1])
	remote, err2 := netip.ParseAddrPort(f[2])
	return local, remote, err1 == nil && err2 == nil
}
