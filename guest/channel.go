package guest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// OpenChannel opens the agent's end of the channel that an AgentConfig names.
func OpenChannel(ctx context.Context, channel string) (net.Conn, error) {
	if path, ok := strings.CutPrefix(channel, "unix:"); ok {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	f, err := openPort(channel)
	if err != nil {
		return nil, err
	}
	return fileConn{f}, nil
}

// fileConn makes a connection of a character device.
type fileConn struct{ *os.File }

// pipeAddr is an address that only has a name.
type pipeAddr string

func (a pipeAddr) Network() string { return "file" }
func (a pipeAddr) String() string  { return string(a) }

func (c fileConn) LocalAddr() net.Addr  { return pipeAddr(c.Name()) }
func (c fileConn) RemoteAddr() net.Addr { return pipeAddr(c.Name()) }

// Read returns io.EOF while the near side is not connected.
func (c fileConn) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

// A device that cannot wait with a deadline waits without one: the session's
// pings find out instead.
func (c fileConn) SetDeadline(t time.Time) error      { return without(c.File.SetDeadline(t)) }
func (c fileConn) SetReadDeadline(t time.Time) error  { return without(c.File.SetReadDeadline(t)) }
func (c fileConn) SetWriteDeadline(t time.Time) error { return without(c.File.SetWriteDeadline(t)) }

func without(err error) error {
	if errors.Is(err, os.ErrNoDeadline) {
		return nil
	}
	return err
}
