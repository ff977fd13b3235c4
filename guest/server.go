package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/ingot/toe"
)

// retryAfter is the pause before a channel is opened again: a virtio port
// without a near side reads as ended at once.
const retryAfter = 20 * time.Millisecond

// Server is the far end.
type Server struct {
	Version string
	Token   string
	BootID  string // the same for all agents of one boot
	// StateDirectory keeps the events of runs and commands, on disk, so that a
	// run goes on after a reboot. A power-off removes it.
	StateDirectory string
	// Toe executes documents. emit may be called from several goroutines.
	Toe func(ctx context.Context, req toe.Request, emit func(toe.Event)) (toe.Result, error)
	// Leave powers off or reboots; nil is the guest's own way. Tests must set it.
	Leave func(Power) error
	Logf  func(format string, args ...any)

	mu      sync.Mutex
	jobs    map[string]*job
	leaving atomic.Bool // a reboot or power-off is under way
}

// Serve opens the channel, greets a near side and answers it, again and again
// until ctx ends.
func (s *Server) Serve(ctx context.Context, open func(context.Context) (net.Conn, error)) error {
	if err := os.MkdirAll(s.StateDirectory, 0o700); err != nil {
		return fmt.Errorf("making the state directory: %w", err)
	}
	for ctx.Err() == nil {
		if err := s.session(ctx, open); err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			s.Logf("session: %v", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
	return context.Cause(ctx)
}

// session serves one greeted connection until it ends.
func (s *Server) session(ctx context.Context, open func(context.Context) (net.Conn, error)) error {
	raw, err := open(ctx)
	if err != nil {
		return fmt.Errorf("opening the channel: %w", err)
	}
	conn := watch(raw)
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	stream, err := greetFar(conn, s.Token)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: s.Handler(), Protocols: protocols(), HTTP2: http2Config(),
		MaxHeaderBytes: maxAnswer,
	}
	err = srv.Serve(&oneConn{conn: stream, ended: conn.ended})
	return errors.Join(ignore(err, io.EOF), srv.Close())
}

func ignore(err, known error) error {
	if errors.Is(err, known) {
		return nil
	}
	return err
}

// oneConn is a listener with a single connection.
type oneConn struct {
	conn  net.Conn
	ended <-chan struct{}
	taken bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.taken {
		<-l.ended
		return nil, io.EOF
	}
	l.taken = true
	return l.conn, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// Handler is the agent's interface without the greeting.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/hello", s.hello)
	mux.HandleFunc("GET /v1/ready", ready)
	mux.HandleFunc("POST /v1/runs/{id}", s.run)
	mux.HandleFunc("POST /v1/commands/{id}", s.command)
	mux.HandleFunc("POST /v1/shell", shell)
	mux.HandleFunc("PUT /v1/file", putFile)
	mux.HandleFunc("GET /v1/file", getFile)
	mux.HandleFunc("GET /v1/tree", getTree)
	mux.HandleFunc("GET /v1/inventory", inventory)
	mux.HandleFunc("POST /v1/clock", setClock)
	mux.HandleFunc("POST /v1/power", s.power)
	mux.HandleFunc("POST /v1/sanitize", sanitizeGuest)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.leaving.Load() {
			http.Error(w, "the guest is going down", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) hello(w http.ResponseWriter, _ *http.Request) {
	host, err := os.Hostname()
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, Hello{Version: s.Version, BootID: s.BootID, Hostname: host, OS: prettyName("/")})
}

func (s *Server) power(w http.ResponseWriter, r *http.Request) {
	p := Power(r.FormValue("action"))
	if p != PowerOff && p != PowerReboot {
		http.Error(w, fmt.Sprintf("action %q: must be off or reboot", p), http.StatusBadRequest)
		return
	}
	do := s.Leave
	if do == nil {
		do = leave
	}
	s.leaving.Store(true)
	err := s.clearState(p)
	if err == nil {
		err = do(p)
	}
	if err != nil {
		s.leaving.Store(false)
		refuse(w, err)
	}
}

// clearState takes the agent's own files away before a power-off: what was
// carried in is never left in the image. A run goes on over a reboot only.
func (s *Server) clearState(p Power) error {
	if p != PowerOff {
		return nil
	}
	s.mu.Lock()
	for _, j := range s.jobs {
		j.spool.f.Close() // Windows removes no file that is open
	}
	s.mu.Unlock()
	if err := os.RemoveAll(s.StateDirectory); err != nil {
		return fmt.Errorf("removing the agent's state: %w", err)
	}
	return nil
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(http.ErrAbortHandler) // the near side sees a broken stream, not half an answer
	}
}

// refuse answers an error: 404 for a file that is not there, else 422.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusUnprocessableEntity
	if errors.Is(err, fs.ErrNotExist) {
		status = http.StatusNotFound
	}
	http.Error(w, err.Error(), status)
}

// statePath is where the events of a job are kept.
func (s *Server) statePath(kind, id string) string {
	return filepath.Join(s.StateDirectory, kind+"-"+id)
}
