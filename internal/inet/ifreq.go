package inet

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The one interface: lo, as a network namespace has it that was brought up.
const (
	loName  = "lo"
	loIndex = 1
	loMTU   = 65536
	loFlags = unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING
	loQueue = 1000
)

// IfreqLen is the size of struct ifreq (netdevice(7)).
const IfreqLen = 40

// Ifreq answers an ioctl request on the struct ifreq in b. ok is false for
// requests that it does not know.
func Ifreq(req uint32, b []byte) (e unix.Errno, ok bool) {
	name := cname(b[:unix.IFNAMSIZ])
	v := b[unix.IFNAMSIZ:]
	le := binary.LittleEndian
	set := uint32(0)
	switch req {
	case unix.SIOCGIFNAME:
		if le.Uint32(v) != loIndex {
			return unix.ENODEV, true
		}
		clear(b[:unix.IFNAMSIZ])
		copy(b, loName)
		return 0, true
	case unix.SIOCGIFFLAGS, unix.SIOCGIFADDR, unix.SIOCGIFNETMASK, unix.SIOCGIFBRDADDR, unix.SIOCGIFDSTADDR,
		unix.SIOCGIFMTU, unix.SIOCGIFINDEX, unix.SIOCGIFHWADDR, unix.SIOCGIFMETRIC, unix.SIOCGIFTXQLEN, unix.SIOCGIFMAP:
	case unix.SIOCSIFFLAGS, unix.SIOCSIFADDR, unix.SIOCSIFNETMASK, unix.SIOCSIFBRDADDR, unix.SIOCSIFMTU,
		unix.SIOCSIFHWADDR, unix.SIOCSIFNAME, unix.SIOCADDRT, unix.SIOCDELRT:
		set = req
	default:
		return 0, false
	}
	if set != 0 {
		return unix.EPERM, true
	}
	if name != loName {
		return unix.ENODEV, true
	}
	switch req {
	case unix.SIOCGIFFLAGS:
		le.PutUint16(v, loFlags)
	case unix.SIOCGIFMTU:
		le.PutUint32(v, loMTU)
	case unix.SIOCGIFINDEX:
		le.PutUint32(v, loIndex)
	case unix.SIOCGIFTXQLEN:
		le.PutUint32(v, loQueue)
	case unix.SIOCGIFHWADDR:
		clear(v[:16])
		le.PutUint16(v, unix.ARPHRD_LOOPBACK)
	case unix.SIOCGIFADDR, unix.SIOCGIFDSTADDR:
		putSockaddr4(v, 127, 0, 0, 1)
	case unix.SIOCGIFNETMASK:
		putSockaddr4(v, 255, 0, 0, 0)
	case unix.SIOCGIFBRDADDR:
		putSockaddr4(v, 0, 0, 0, 0)
	case unix.SIOCGIFMETRIC:
		le.PutUint32(v, 0)
	case unix.SIOCGIFMAP:
		clear(v[:24])
	}
	return 0, true
}

// Ifconf is the array of struct ifreq that SIOCGIFCONF gives.
func Ifconf() []byte {
	b := make([]byte, IfreqLen)
	copy(b, loName)
	putSockaddr4(b[unix.IFNAMSIZ:], 127, 0, 0, 1)
	return b
}

func putSockaddr4(b []byte, ip ...byte) {
	clear(b[:16])
	binary.LittleEndian.PutUint16(b, unix.AF_INET)
	copy(b[4:], ip)
}

func cname(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
