package sandbox

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"dettrace/internal/initproc"
)

// Messages on the control socket before pid 2 is forked: one kind byte. Those of
// the init program are package initproc's.
const (
	kindBegin  = 'C' // to the stage: its ids are mapped, its limits are set
	kindFuse   = 'F' // from the stage, with the /dev/fuse descriptor
	kindServed = 'S' // to the stage: the file system answers
	kindReady  = 'R' // from the stage, see stage.report
)

const maxMessage = 1 << 10

// send writes one message.
func send(sock int, kind byte) error {
	for {
		err := unix.Send(sock, []byte{kind}, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// message is one received datagram.
type message struct {
	data []byte
	fd   int // a passed descriptor, or -1
	pid  int // the sender, where the socket has SO_PASSCRED
}

// receive reads one message; io.EOF if the peer is gone.
func receive(sock int, buf []byte) (message, error) {
	oob := make([]byte, unix.CmsgSpace(4)+unix.CmsgSpace(unix.SizeofUcred))
	m := message{fd: -1}
	var n, oobn int
	for {
		var err error
		n, oobn, _, _, err = unix.Recvmsg(sock, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err == nil {
			break
		}
		if err == unix.ECONNRESET {
			return m, io.EOF
		}
		if err != unix.EINTR {
			return m, err
		}
	}
	if n == 0 {
		return m, io.EOF
	}
	m.data = buf[:n]
	list, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return m, err
	}
	for i := range list {
		if fds, err := unix.ParseUnixRights(&list[i]); err == nil && len(fds) > 0 {
			m.fd = fds[0]
		}
		if cred, err := unix.ParseUnixCredentials(&list[i]); err == nil {
			m.pid = int(cred.Pid)
		}
	}
	return m, nil
}

// expect receives a message of one kind. A step of the stage that failed is an
// *initproc.StepError.
func expect(sock int, kind byte) (message, error) {
	m, err := receive(sock, make([]byte, maxMessage))
	if err != nil || m.data[0] == kind {
		return m, err
	}
	if _, err := initproc.ParseMessage(m.data); err != nil {
		return m, err
	}
	return m, errors.New("unexpected message on the control socket")
}
