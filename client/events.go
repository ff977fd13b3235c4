package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Event is a server-sent event.
type Event struct {
	ID   string
	Type string // empty: the usual one
	Data []byte // overwritten after emit
}

const (
	maxEvent = 16 << 20 // bytes of a line
	// maxSilence is more than the server lets pass without a sign of life.
	maxSilence = time.Minute
)

var errSilent = errors.New("the server has been silent for too long")

// Events passes on the server-sent events of a path, of this server's own,
// that come after the one with an id. It returns nil when the server ends its
// answer: whether that is the end is for the events to say. A refusal is *Error.
func (c *Client) Events(ctx context.Context, path string, query url.Values, after string, emit func(Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Endpoint+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	silence := time.AfterFunc(maxSilence, func() { cancel(errSilent) })
	defer silence.Stop()
	resp, err := c.send(ctx, req, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("%s: reading the answer: %w", path, err)
		}
		return apiError(path, resp, answer)
	}
	err = readEvents(alive{resp.Body, silence}, emit)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// alive puts the end of patience off with everything that is read.
type alive struct {
	io.Reader
	silence *time.Timer
}

func (a alive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	a.silence.Reset(maxSilence)
	return n, err
}

// readEvents reads events whose data is one line. One that was cut off does
// not count.
func readEvents(r io.Reader, emit func(Event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxEvent)
	var e Event
	has := false
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			e.ID = string(value)
		case "event":
			e.Type = string(value)
		case "data":
			e.Data, has = append(e.Data[:0], value...), true
		}
		if len(lines.Bytes()) > 0 {
			continue
		}
		if has {
			if err := emit(e); err != nil {
				return err
			}
		}
		e, has = Event{Data: e.Data[:0]}, false
	}
	return lines.Err()
}
