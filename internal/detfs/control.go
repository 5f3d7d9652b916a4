package detfs

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"dettrace/internal/hint"
)

// The control protocol: over a unix stream socket, one request and one reply
// at a time, each a 4-byte little-endian length and a call or an answer (wire.go). A
// request may carry one descriptor with its first byte.

// call is a request; the field of its operation is set.
type call struct {
	Op       string // init, serve, count, changes, glob, tar, learned, finish, chown, touch, text, own, cpusites, missing, getxattr
	Config   *Config
	Pattern  string
	Tar      TarRequest
	Ino      uint64
	UID, GID int64
	Offset   int64
	Full     bool
	Size     int64
	At       int64
	Changed  int64
}

// answer is a reply. An error crosses as text, with its errno and its hint.
type answer struct {
	Err   string
	Errno syscall.Errno
	Hint  string
	Body  []byte // of what is coded, else JSON
}

// setBody puts what a call gives into the answer.
func (a *answer) setBody(v any) (err error) {
	if w, ok := v.(coded); ok {
		a.Body = encode(nil, w)
		return nil
	}
	a.Body, err = json.Marshal(v)
	return err
}

// body is the inverse of setBody.
func (a *answer) body(v any) error {
	if w, ok := v.(coded); ok {
		return decode(a.Body, w)
	}
	return json.Unmarshal(a.Body, v)
}

func (a *answer) setError(err error) {
	a.Err, a.Hint, a.Body = err.Error(), hint.Of(err), nil
	errors.As(err, &a.Errno)
}

func (a *answer) error() error {
	if a.Err == "" {
		return nil
	}
	return hint.With(&remoteError{a.Err, a.Errno}, a.Hint)
}

// remoteError is an error of the server.
type remoteError struct {
	text  string
	errno syscall.Errno
}

func (e *remoteError) Error() string { return e.text }

// Unwrap gives the errno, if there was one in the server's chain.
func (e *remoteError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// maxFrame bounds a frame: change lists of big runs are some 100 MB at most.
const maxFrame = 1 << 30

// sendFrame writes v, and fd with it unless it is negative.
func sendFrame(c *net.UnixConn, v coded, fd int) error {
	room := 512
	if r, ok := v.(*call); ok && r.Config != nil {
		room = 64 << 10 // growing to that size would touch twice the memory
	}
	msg := encode(make([]byte, 4, room), v)
	binary.LittleEndian.PutUint32(msg, uint32(len(msg)-4))
	if fd >= 0 {
		n, _, err := c.WriteMsgUnix(msg, unix.UnixRights(fd), nil)
		if err != nil {
			return fmt.Errorf("detfs: control: %w", err)
		}
		msg = msg[n:]
	}
	if _, err := c.Write(msg); err != nil {
		return fmt.Errorf("detfs: control: %w", err)
	}
	return nil
}

// recvFrame reads one frame into v. file is the descriptor that came with it,
// or nil; the caller owns it. io.EOF: the other end is gone.
func recvFrame(c *net.UnixConn, v coded) (file *os.File, err error) {
	var head [4]byte
	oob := make([]byte, 128)
	for got := 0; got < len(head); {
		n, oobn, _, _, err := c.ReadMsgUnix(head[got:], oob)
		if err != nil {
			return file, err
		}
		if oobn > 0 && file == nil {
			if file, err = oneFile(oob[:oobn]); err != nil {
				return nil, err
			}
		}
		if n == 0 {
			return file, io.EOF
		}
		got += n
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size > maxFrame {
		return file, fmt.Errorf("detfs: control: frame of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(c, body); err != nil {
		return file, fmt.Errorf("detfs: control: %w", err)
	}
	return file, decode(body, v)
}

func oneFile(oob []byte) (*os.File, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("detfs: control: %w", err)
	}
	for _, m := range msgs {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for i, fd := range fds {
			unix.CloseOnExec(fd)
			if i > 0 {
				_ = unix.Close(fd)
			}
		}
		if len(fds) > 0 {
			return os.NewFile(uintptr(fds[0]), "passed"), nil
		}
	}
	return nil, errors.New("detfs: control: no descriptor in message")
}
