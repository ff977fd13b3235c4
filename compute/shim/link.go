package shim

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"ingot.dev/ingot/guest"
)

const (
	greetTimeout = 10 * time.Minute // a boot may take that long under emulation
	relinkAfter  = 20 * time.Millisecond
)

// link keeps one connection to the guest's agent and passes the requests of
// any number of clients on. A request waits while there is no connection.
type link struct {
	guest Guest
	token string
	log   *slog.Logger
	proxy *httputil.ReverseProxy

	mu      sync.Mutex
	client  *guest.Client // nil while not connected
	changed chan struct{}
}

func newLink(g Guest, token string, log *slog.Logger) *link {
	l := &link{guest: g, token: token, log: log, changed: make(chan struct{})}
	l.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "guest"})
		},
		Transport:     l.transport(),
		FlushInterval: -1, // lines are seen as they come
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	return l
}

func (l *link) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.proxy.ServeHTTP(w, r) }

// transport sends each request over the connection of its moment.
func (l *link) transport() http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		c, err := l.wait(r.Context())
		if err != nil {
			return nil, err
		}
		return c.Transport().RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// wait returns the connection as soon as there is one.
func (l *link) wait(ctx context.Context) (*guest.Client, error) {
	for {
		l.mu.Lock()
		c, changed := l.client, l.changed
		l.mu.Unlock()
		if c != nil {
			return c, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// keep connects to the agent of the present boot, and again when the
// connection is lost, until ctx ends.
func (l *link) keep(ctx context.Context) {
	for ctx.Err() == nil {
		if err := l.connect(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
			l.log.Info("connecting to the agent", "error", err)
		}
		select {
		case <-time.After(relinkAfter):
		case <-ctx.Done():
		}
	}
}

// connect makes one connection and returns when it is lost.
func (l *link) connect(ctx context.Context) error {
	conn, err := l.guest.Channel(ctx)
	if err != nil {
		return err
	}
	greet, cancel := context.WithTimeout(ctx, greetTimeout)
	c, err := guest.Dial(greet, conn, l.token)
	cancel()
	if err != nil {
		return err
	}
	l.set(c)
	select {
	case <-c.Lost():
	case <-ctx.Done():
	}
	l.set(nil)
	return c.Close()
}

func (l *link) set(c *guest.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = c
	close(l.changed)
	l.changed = make(chan struct{})
}
