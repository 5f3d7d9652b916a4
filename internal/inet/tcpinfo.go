package inet

import "encoding/binary"

// MTU is that of the loopback interface.
const MTU = loMTU

// States of TCP (net/tcp_states.h).
const (
	tcpEstablished = 1
	tcpClose       = 7
	tcpListen      = 10
)

// TCPInfo is a struct tcp_info (linux/tcp.h) of a connection on which nothing
// was lost and nothing took time.
func (s *Socket) TCPInfo() []byte {
	b := make([]byte, 232)
	le := binary.LittleEndian
	switch s.State {
	case Listening:
		b[0] = tcpListen
	case Connected, Connecting:
		b[0] = tcpEstablished
	default:
		b[0] = tcpClose
	}
	b[5], b[6] = 7, 0x77 // timestamps, SACK, window scaling by 7
	for _, v := range []struct{ at, value uint32 }{
		{8, 200000}, {12, 40000}, {16, 32768}, {20, 536}, // rto, ato, snd_mss, rcv_mss
		{60, MTU}, {64, 65495}, {68, 20}, {72, 10}, // pmtu, rcv_ssthresh, rtt, rttvar
		{76, 1<<31 - 1}, {80, 10}, {84, 65483}, {88, 3}, // snd_ssthresh, snd_cwnd, advmss, reordering
		{96, 65495}, // rcv_space
	} {
		le.PutUint32(b[v.at:], v.value)
	}
	return b
}
