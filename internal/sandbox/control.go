package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// Messages on the control socket until pid 1 has become the init program:
// one kind byte, then JSON. Those of the init program are package initproc's.
const (
	kindConfig = 'C' // to the stage: stageConfig
	kindFuse   = 'F' // from the stage, with the /dev/fuse descriptor
	kindServed = 'S' // to the stage: the file system answers
	kindReady  = 'R' // from the stage: ready, about to become init
	kindError  = 'X' // from the stage: Error
)

const maxMessage = 128 << 10

// stageConfig is all the stage needs.
type stageConfig struct {
	Config
	Mode IDMode
	// Tree is a directory to use in place of a FUSE file system: tests of
	// this package have no server.
	Tree string
}

// ready is what the stage found out.
type ready struct {
	FuseDev, ProcDev, DevptsDev, MqueueDev uint64
	SyscallAddr, ScratchAddr, ScratchLen   uint64
}

// send writes one message; fds go with it.
func send(sock int, kind byte, body any, fds ...int) error {
	msg := []byte{kind}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode message %c: %w", kind, err)
		}
		msg = append(msg, b...)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(sock, msg, oob, nil, unix.MSG_NOSIGNAL)
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

// expect receives a message of one kind into out. An Error from the peer is
// returned as such.
func expect(sock int, kind byte, out any) (message, error) {
	m, err := receive(sock, make([]byte, maxMessage))
	if err != nil {
		return m, err
	}
	switch m.data[0] {
	case kind:
		if out == nil {
			return m, nil
		}
		return m, json.Unmarshal(m.data[1:], out)
	case kindError:
		return m, decodeError(m.data[1:])
	}
	return m, errors.New("unexpected message on the control socket")
}

// decodeError is the Error that the stage sent.
func decodeError(b []byte) error {
	var e Error
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	return &e
}
