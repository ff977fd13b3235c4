// Package admin is how the commands of ingot ask a running server for what
// the vendor's API does not have: base images, launching, exporting, and
// instances. It is one JSON request and a stream of JSON messages over a Unix
// socket that only the server's own user can open.
package admin

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

	"ingot.dev/ingot"
)

// Message is one line of an answer. Progress and Line come any number of
// times; the last message has Result or Error.
type Message struct {
	Progress string          `json:"progress,omitempty"` // for people
	Stream   string          `json:"stream,omitempty"`   // "stdout" or "stderr" of a command in an instance
	Line     *string         `json:"line,omitempty"`     // what the command printed
	Result   json.RawMessage `json:"result,omitempty"`
	Error    *Error          `json:"error,omitempty"`
}

// Error is a failed call.
type Error struct {
	Code    ingot.Code `json:"code"`
	Message string     `json:"message"`
}

// Send passes a message on; it may be called until the operation returns.
type Send func(Message)

// maxRequest bounds a request, in bytes; requests are names and paths.
const maxRequest = 1 << 20

// Handler serves the operations registered with Handle.
type Handler struct {
	operations map[string]func(context.Context, json.RawMessage, Send) (any, error)
}

// Handle registers an operation under its name, as in "base/import".
func Handle[In, Out any](h *Handler, name string, f func(context.Context, In, Send) (Out, error)) {
	if h.operations == nil {
		h.operations = make(map[string]func(context.Context, json.RawMessage, Send) (any, error))
	}
	h.operations[name] = func(ctx context.Context, body json.RawMessage, send Send) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, ingot.Errorf(ingot.CodeRequest, "decoding the request of %s: %w", name, err)
		}
		return f(ctx, in, send)
	}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, ok := h.operations[r.URL.Path[1:]]
	if !ok || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	enc := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	send := func(m Message) {
		// A client that went away is told by the request's context.
		_ = enc.Encode(m)
		_ = flush.Flush()
	}
	result, err := operation(r.Context(), body, send)
	if err != nil {
		send(Message{Error: &Error{Code: ingot.ErrorCode(err), Message: err.Error()}})
		return
	}
	data, err := json.Marshal(result)
	if err != nil {
		send(Message{Error: &Error{Code: ingot.CodeInternal, Message: err.Error()}})
		return
	}
	send(Message{Result: data})
}

// Client calls the server behind a socket.
type Client struct{ http *http.Client }

// NewClient makes a client for the socket at path.
func NewClient(path string) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// maxMessage bounds one message, in bytes.
const maxMessage = 8 << 20

// Call runs an operation and passes its messages to send, which may be nil.
// A failed operation is an *ingot.Error.
func Call[In, Out any](ctx context.Context, c *Client, name string, in In, send Send) (Out, error) {
	var out Out
	body, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("%s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://ingot/"+name, bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("%s: %w", name, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return out, fmt.Errorf("asking the server to %s: %w", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return out, fmt.Errorf("%s: the server answered %s; is it of the same version?", name, resp.Status)
	}
	scan := bufio.NewScanner(resp.Body)
	scan.Buffer(nil, maxMessage)
	for scan.Scan() {
		var m Message
		if err := json.Unmarshal(scan.Bytes(), &m); err != nil {
			return out, fmt.Errorf("%s: decoding the server's answer: %w", name, err)
		}
		switch {
		case m.Error != nil:
			return out, &ingot.Error{Code: m.Error.Code, Message: m.Error.Message}
		case m.Result != nil:
			return out, json.Unmarshal(m.Result, &out)
		case send != nil:
			send(m)
		}
	}
	return out, errors.Join(fmt.Errorf("%s: the server ended in the middle of its answer", name), scan.Err(), ctx.Err())
}
