package guest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ingot.dev/ingot/toe"
)

// Bounds on what a client accepts: the guest may be hostile.
const (
	maxAnswer    = 64 << 10 // a small JSON answer or an error
	maxEvent     = 1 << 20  // one event line
	maxInventory = 64 << 20
)

var (
	// ErrUnreachable is returned while the guest boots or goes down, and when
	// the stream ended before the result: ask the instance for its agent again
	// and repeat the call, a run from the last event seen.
	ErrUnreachable = errors.New("the agent cannot be reached")
	// ErrTooLarge is returned when the guest sends more than the caller's limit.
	ErrTooLarge = errors.New("the guest sent more than the limit")
)

// Client is the near end. Its methods may be called side by side.
type Client struct {
	rt    http.RoundTripper
	close func() error
	lost  <-chan struct{} // nil: not known
}

// Dial proves the token over conn, which the client owns from now on, also
// when an error is returned.
func Dial(ctx context.Context, conn net.Conn, token string) (*Client, error) {
	watched := watch(conn)
	stream, err := greet(ctx, watched, token)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting the agent: %w", err)
	}
	cc, err := clientConn(ctx, stream)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting the agent: %w", err)
	}
	return &Client{rt: cc, close: cc.Close, lost: watched.ended}, nil
}

// NewClient speaks over any transport that reaches an agent, such as a shim's socket.
func NewClient(rt http.RoundTripper, close func() error) *Client {
	return &Client{rt: rt, close: close}
}

// Transport is what carries the client's requests, for a proxy to share.
func (c *Client) Transport() http.RoundTripper { return c.rt }

// Lost is closed when a dialled connection has ended.
func (c *Client) Lost() <-chan struct{} { return c.lost }

// Close ends the connection; calls under way return ErrUnreachable.
func (c *Client) Close() error { return c.close() }

// Hello asks who is there. It waits while a shim waits for the guest.
func (c *Client) Hello(ctx context.Context) (Hello, error) {
	var h Hello
	return h, c.call(ctx, "GET", "/v1/hello", nil, &h, maxAnswer)
}

// Run executes documents, or attaches to the run of that ID, and emits every
// event with a Seq above from. It returns the last result, which asks for a
// reboot when Result.Reboot is set: after it the same call goes on. An error of
// emit ends the call, not the run; so does ctx.
func (c *Client) Run(ctx context.Context, run Run, from int64, emit func(Event) error) (toe.Result, error) {
	body, err := json.Marshal(run)
	if err != nil {
		return toe.Result{}, fmt.Errorf("encoding run %s: %w", run.ID, err)
	}
	var result *toe.Result
	err = c.follow(ctx, "/v1/runs/"+url.PathEscape(run.ID), bytes.NewReader(body), from, func(e Event) error {
		if e.Result != nil {
			result = e.Result
		}
		return emit(e)
	})
	switch {
	case err != nil:
		return toe.Result{}, fmt.Errorf("following run %s: %w", run.ID, err)
	case result == nil:
		return toe.Result{}, fmt.Errorf("following run %s: %w", run.ID, ErrUnreachable)
	}
	return *result, nil
}

// Exec runs a command, or attaches to the one of that ID, and returns its exit
// status: 128 and the signal's number when a signal ended it. stdin may be nil;
// an attaching call's is ignored. An empty ID is replaced by a random one, and
// the command then ends with the call.
func (c *Client) Exec(ctx context.Context, cmd Command, stdin io.Reader, emit func(Event) error) (int, error) {
	bound := cmd.ID == ""
	if bound {
		cmd.ID = rand.Text()
	}
	head, err := json.Marshal(cmd)
	if err != nil {
		return 0, fmt.Errorf("encoding command %s: %w", cmd.ID, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body := io.Reader(bytes.NewReader(append(head, '\n')))
	if stdin != nil {
		body = abandonable(ctx, io.MultiReader(body, stdin))
	}
	path := "/v1/commands/" + url.PathEscape(cmd.ID)
	if bound {
		path += "?bound=1"
	}
	var exit *int
	err = c.follow(ctx, path, body, 0, func(e Event) error {
		if e.Exit != nil {
			exit = e.Exit
		}
		return emit(e)
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("running %s: %w", strings.Join(cmd.Args, " "), err)
	case exit == nil:
		return 0, fmt.Errorf("running %s: %w", strings.Join(cmd.Args, " "), ErrUnreachable)
	}
	return *exit, nil
}

// Output runs a command and returns what it printed on both streams, up to
// limit bytes, and an error when its exit status is not 0.
func (c *Client) Output(ctx context.Context, limit int, args ...string) (string, error) {
	var out strings.Builder
	exit, err := c.Exec(ctx, Command{Args: args}, nil, func(e Event) error {
		if e.Exit == nil && out.Len()+len(e.Line) < limit {
			out.WriteString(e.Line + "\n")
		}
		return nil
	})
	if err == nil && exit != 0 {
		err = fmt.Errorf("running %s: exit status %d: %s", strings.Join(args, " "), exit, strings.TrimSpace(out.String()))
	}
	return out.String(), err
}

// PutFile writes a file of the guest, whole or not at all, making its folders.
func (c *Client) PutFile(ctx context.Context, path string, mode fs.FileMode, r io.Reader) error {
	q := url.Values{"path": {path}, "mode": {strconv.FormatUint(uint64(mode.Perm()), 8)}}
	res, err := c.do(ctx, "PUT", "/v1/file?"+q.Encode(), r)
	if err != nil {
		return fmt.Errorf("writing %s in the guest: %w", path, err)
	}
	return res.Body.Close()
}

// GetFile copies a regular file of the guest to w and returns its permissions.
// More than limit bytes is ErrTooLarge.
func (c *Client) GetFile(ctx context.Context, path string, limit int64, w io.Writer) (fs.FileMode, error) {
	res, err := c.do(ctx, "GET", "/v1/file?"+url.Values{"path": {path}}.Encode(), nil)
	if err != nil {
		return 0, fmt.Errorf("reading %s in the guest: %w", path, err)
	}
	defer res.Body.Close()
	if err := copyLimited(w, res.Body, limit); err != nil {
		return 0, fmt.Errorf("reading %s in the guest: %w", path, err)
	}
	mode, err := strconv.ParseUint(res.Header.Get("Ingot-Mode"), 8, 32)
	if err != nil {
		return 0, fmt.Errorf("reading %s in the guest: its mode: %w", path, err)
	}
	return fs.FileMode(mode).Perm(), nil
}

// GetTree copies a folder of the guest to w as a tar stream of regular files
// and folders with relative names; other kinds of files are left out. The guest
// chose the names: whoever unpacks must check them.
func (c *Client) GetTree(ctx context.Context, dir string, limit int64, w io.Writer) error {
	res, err := c.do(ctx, "GET", "/v1/tree?"+url.Values{"path": {dir}}.Encode(), nil)
	if err != nil {
		return fmt.Errorf("reading %s in the guest: %w", dir, err)
	}
	defer res.Body.Close()
	if err := copyLimited(w, res.Body, limit); err != nil {
		return fmt.Errorf("reading %s in the guest: %w", dir, err)
	}
	return nil
}

// Power turns the guest off or restarts it, and returns when the agent has
// begun: from then on calls return ErrUnreachable until the next boot.
func (c *Client) Power(ctx context.Context, p Power) error {
	return c.call(ctx, "POST", "/v1/power?action="+string(p), nil, nil, maxAnswer)
}

// SetClock sets the guest's clock and stirs seed into its random pool; needed
// after a saved state was resumed.
func (c *Client) SetClock(ctx context.Context, now time.Time, seed []byte) error {
	body, err := json.Marshal(clock{UnixNano: now.UnixNano(), Seed: seed})
	if err != nil {
		return err
	}
	return c.call(ctx, "POST", "/v1/clock", bytes.NewReader(body), nil, maxAnswer)
}

// Sanitize removes what must not be in an image (package sanitize) and emits a
// line for each thing done. It is the last call before the guest is powered off.
func (c *Client) Sanitize(ctx context.Context, workingDirectory string, emit func(line string) error) error {
	var exit *int
	path := "/v1/sanitize?" + url.Values{"workingDirectory": {workingDirectory}}.Encode()
	err := c.follow(ctx, path, nil, 0, func(e Event) error {
		if e.Exit != nil {
			exit = e.Exit
			return nil
		}
		return emit(e.Line)
	})
	switch {
	case err != nil:
		return fmt.Errorf("cleaning up the guest: %w", err)
	case exit == nil:
		return fmt.Errorf("cleaning up the guest: %w", ErrUnreachable)
	case *exit != 0:
		return errors.New("cleaning up the guest: not everything could be removed; its lines say what")
	}
	return nil
}

// Inventory lists the guest's installed packages.
func (c *Client) Inventory(ctx context.Context) (Inventory, error) {
	var inv Inventory
	return inv, c.call(ctx, "GET", "/v1/inventory", nil, &inv, maxInventory)
}

// follow posts body and reads the numbered events of the answer.
func (c *Client) follow(ctx context.Context, path string, body io.Reader, from int64, emit func(Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	res, err := c.do(ctx, "POST", path+sep+"from="+strconv.FormatInt(from, 10), body)
	if err != nil {
		return err
	}
	err = readEvents(ctx, res.Body, from, emit)
	cancel() // first: closing waits for the request's body otherwise
	res.Body.Close()
	return err
}

// abandonable reads r until ctx ends, even while a read of r is under way: the
// connection could not tell the guest that the call is over before it returns.
func abandonable(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { out.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	return out
}

// call sends a request and decodes a JSON answer of at most limit bytes into out.
func (c *Client) call(ctx context.Context, method, path string, body io.Reader, out any, limit int64) error {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "?")
	res, err := c.do(ctx, method, path, body)
	if err != nil {
		return fmt.Errorf("asking the agent for %s: %w", name, err)
	}
	defer res.Body.Close()
	var answer bytes.Buffer
	if err := copyLimited(&answer, res.Body, limit); err != nil {
		return fmt.Errorf("reading the agent's %s: %w", name, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Bytes(), out); err != nil {
		return fmt.Errorf("reading the agent's %s: %w", name, err)
	}
	return nil
}

// do sends a request; an answer other than 200 becomes an error.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://guest"+path, body)
	if err != nil {
		return nil, err
	}
	res, err := c.rt.RoundTrip(req)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // an error's text is best effort
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusBadGateway {
		return nil, fmt.Errorf("%w: %s", ErrUnreachable, printable(text))
	}
	return nil, &RemoteError{Status: res.StatusCode, Message: printable(text)}
}
