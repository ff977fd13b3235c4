package guest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// hostile answers like a guest that means harm.
func hostile(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(answer)
	srv.Config.Protocols = protocols()
	srv.Start()
	t.Cleanup(srv.Close)
	tr := Transport(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", srv.Listener.Addr().String())
	})
	t.Cleanup(tr.CloseIdleConnections)
	return NewClient(tr, nil)
}

func TestClientBoundsWhatItReads(t *testing.T) {
	endless := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, text); err != nil {
					return
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		call   func(*Client) error
	}{
		"endless hello": {endless("x"), func(c *Client) error { _, err := c.Hello(t.Context()); return err }},
		"endless line": {endless("x"), func(c *Client) error {
			_, err := c.Run(t.Context(), Run{ID: "r"}, 0, collect(new([]Event)))
			return err
		}},
		"endless file": {endless("x"), func(c *Client) error {
			_, err := c.GetFile(t.Context(), "/f", 1000, io.Discard)
			return err
		}},
	} {
		if err := tt.call(hostile(t, tt.answer)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want too large", name, err)
		}
	}
}

func TestClientChecksEvents(t *testing.T) {
	for name, stream := range map[string]string{
		"no number":     `{"line":"x"}` + "\n",
		"a gap":         `{"seq":1}` + "\n" + `{"seq":3}` + "\n",
		"no JSON":       "hello\n",
		"no result":     `{"seq":1}` + "\n",
		"nothing":       "",
		"wrong numbers": `{"seq":-1}` + "\n",
	} {
		c := hostile(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, stream) })
		if _, err := c.Run(t.Context(), Run{ID: "r"}, 0, collect(new([]Event))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "\x1b[2Jgone\n\x07", http.StatusTeapot)
	})
	_, err := c.Hello(t.Context())
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\x07\n") {
		t.Errorf("Hello = %q: control characters in a message", err)
	}
}
