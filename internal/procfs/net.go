package procfs

import (
	"embed"
	"slices"
)

//go:embed data/net/*.txt
var netData embed.FS

const (
	udpHeader  = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n"
	udp6Header = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
)

// netTexts are the files of proc_pid_net(5): a loopback that nothing passed,
// and no sockets. The guest's internet sockets are not the kernel's, and the
// supervisor adds their lines; unix sockets would show kernel addresses.
func netTexts() []struct{ name, text string } {
	return []struct{ name, text string }{
		{"anycast6", ""},
		{"arp", "IP address       HW type     Flags       HW address            Mask     Device\n"},
		{"dev_mcast", ""},
		{"icmp", udpHeader},
		{"icmp6", udp6Header},
		{"if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n"},
		{"igmp", "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"},
		{"igmp6", "1    lo              ff020000000000000000000000000001     1 0000000C 0\n1    lo              ff010000000000000000000000000001     1 00000008 0\n"},
		{"ipv6_route", ""},
		{"mcfilter", ""},
		{"mcfilter6", ""},
		{"netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"},
		{"packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"},
		{"protocols", "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n"},
		{"raw", udpHeader},
		{"raw6", udp6Header},
		{"route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n"},
		{"rt6_stats", "0000 0000 0000 0000 0000 0000 0000\n"},
		{"rt_cache", ""},
		{"sockstat", "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"},
		{"tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n"},
		{"tcp6", "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"},
		{"udp", udpHeader},
		{"udp6", udp6Header},
		{"udplite", udpHeader},
		{"udplite6", udp6Header},
		{"unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"},
		{"wireless", "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"},
	}
}

// netFile gives the text of a file of proc_pid_net(5). The long ones are
// files of data/net, taken from a network namespace that was never used.
func netFile(name string) ([]byte, bool) {
	for _, f := range netTexts() {
		if f.name == name {
			return []byte(f.text), true
		}
	}
	b, err := netData.ReadFile("data/net/" + name + ".txt")
	return b, err == nil
}

func netRule(_ *Normaliser, w where, _ []byte, f Facts) ([]byte, bool) {
	b, ok := netFile(w.name[len("net/"):])
	return append(slices.Clip(b), f.Sockets...), ok
}
