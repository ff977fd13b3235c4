package guest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
)

// A session that is silent this long is asked for a sign of life, and ends
// when none comes: the other side was restarted and nobody closed the stream.
const (
	pingAfter   = 15 * time.Second
	pingTimeout = 45 * time.Second // an emulated guest under load may be slow
	frameSize   = 1 << 20
)

func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{MaxReadFrameSize: frameSize, SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
}

func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// Transport makes an HTTP/2 transport in clear text over what dial connects.
func Transport(dial func(ctx context.Context) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		Protocols:              protocols(),
		HTTP2:                  http2Config(),
		MaxResponseHeaderBytes: maxAnswer,
		DisableCompression:     true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx)
		},
	}
}

// clientConn makes the one HTTP/2 connection of a stream.
func clientConn(ctx context.Context, stream net.Conn) (*http.ClientConn, error) {
	t := Transport(func(context.Context) (net.Conn, error) { return stream, nil })
	return t.NewClientConn(ctx, "http", "guest:80")
}

// watchedConn tells when its connection ended.
type watchedConn struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func watch(c net.Conn) *watchedConn { return &watchedConn{Conn: c, ended: make(chan struct{})} }

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.once.Do(func() { close(c.ended) })
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.once.Do(func() { close(c.ended) })
	return c.Conn.Close()
}

// readEvents decodes a stream of event lines and checks their numbers.
func readEvents(ctx context.Context, r io.Reader, from int64, emit func(Event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxEvent)
	lines.Split(wholeLines)
	for next := from + 1; lines.Scan(); next++ {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("reading event %d: %w", next, err)
		}
		if e.Seq != next {
			return fmt.Errorf("reading event %d: the guest numbered it %d", next, e.Seq)
		}
		if err := emit(e); err != nil {
			return err
		}
	}
	return interrupted(ctx, lines.Err())
}

// wholeLines splits like bufio.ScanLines, but a last line without its end was
// cut off with the connection and does not count.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// interrupted tells the caller's own cancellation from a lost connection.
func interrupted(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, bufio.ErrTooLong):
		return ErrTooLarge
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// copyLimited copies at most limit bytes; one more is ErrTooLarge.
func copyLimited(w io.Writer, r io.Reader, limit int64) error {
	n, err := io.Copy(w, io.LimitReader(r, limit))
	if err != nil || n < limit {
		return err
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return fmt.Errorf("%w of %d bytes", ErrTooLarge, limit)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// printable makes text of the guest fit for a message: one line, no control characters.
func printable(b []byte) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(bytes.ToValidUTF8(b, []byte("?"))))
	return strings.TrimSpace(clean)
}
