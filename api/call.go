package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"

	"ingot.dev/ingot"
)

// Caller is who sent a request, and where it applies.
type Caller struct {
	ingot.Scope
	Partition string
	Principal string // ARN
	RequestID string
}

// call is one request on its way.
type call struct {
	Caller
	identity  *identity // once the signature is verified
	operation string
	input     map[string]any // once it is decoded
	started   time.Time
	token     string // client token, made up if the client sent none
	replays   bool   // the client sent the token
	dryRun    bool
	digest    string   // of the input without what does not count for tokens
	cursor    string   // of the store, out of the page token; any bytes
	document  *fetched // that the request names by an address; nil: it names none
	after     []func(context.Context)
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// callerOf returns the caller of the operation that ctx belongs to.
func callerOf(ctx context.Context) Caller { return callOf(ctx).Caller }

// afterCommit runs f when the transaction of a write handler is durable, and
// not at all if it is rolled back. f is lost in a crash: it only hurries what
// would be found in the records anyway. Its context outlives the request.
func afterCommit(ctx context.Context, f func(context.Context)) {
	c := callOf(ctx)
	c.after = append(c.after, f)
}

// answerTime is how long a request may take once its header is read. The
// longest wait in it is the store's for its writer.
const answerTime = 30 * time.Second

// unknownName is the operation of a request that has none.
const unknownName = "unknown"

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Caller: Caller{RequestID: uuid.NewString(), Partition: s.Partition}, operation: unknownName, started: s.Now()}
	w.Header().Set("X-Amzn-RequestId", c.RequestID)
	if h, ok := s.own[r.URL.Path]; ok && r.Method == http.MethodGet {
		h.ServeHTTP(w, r)
		return
	}
	if l, ok := logRequests[r.URL.Path]; ok && r.Method == http.MethodGet && s.Logs != nil {
		s.serveLog(w, r, c, l)
		return
	}
	// SDKs correct their clock from this header, so it must be the clock that
	// signatures are judged by.
	w.Header().Set("Date", c.started.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	status, exception := http.StatusOK, ""
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	body, err := s.answer(w, r.WithContext(ctx), c)
	var f *fault
	if err != nil {
		f, body = s.refuse(w, c, err)
		status, exception = f.status, f.exception
	}
	s.observe(r, c, status, exception) // first, so that whoever has the answer finds the log line
	s.record(r, c, body, err, f)
	send(w, status, body)
}

// refuse puts what an error says into the header, and returns the rest of the
// answer.
func (s *Server) refuse(w http.ResponseWriter, c *call, err error) (f *fault, body []byte) {
	f, body = s.failure(c, err)
	w.Header().Set("X-Amzn-ErrorType", f.exception)
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", seconds(f.retryAfter))
	}
	return f, body
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails: nobody to tell
}

// answer returns the body of a success. A handler's panic is an error like
// any other that has no code: the other requests go on.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, c *call) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	op, label, ok := s.route(r)
	if !ok {
		return nil, unknownOperation(r)
	}
	c.operation = op.Operation
	raw, err := s.readBody(w, r)
	if err != nil {
		return nil, err
	}
	leave, err := s.slots.take(r.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := s.authenticate(r, raw, c); err != nil {
		return nil, err
	}
	if err := s.throttled(c); err != nil {
		return nil, err
	}
	in, err := decode(op.Route, r, label, raw)
	if err != nil {
		return nil, err
	}
	c.input = in
	if err := validate(op.Input, in); err != nil {
		return nil, err
	}
	if err := s.authorize(r, c, in); err != nil {
		return nil, err
	}
	if err := s.prepare(c, in); err != nil {
		return nil, err
	}
	s.fetch(r.Context(), c, in)
	out, err := op.serve(context.WithValue(r.Context(), callKey{}, c), in)
	if err != nil {
		return nil, err
	}
	return s.encode(c, out)
}

func (s *Server) observe(r *http.Request, c *call, status int, exception string) {
	elapsed := s.Now().Sub(c.started)
	s.metrics.observe(c.operation, status, elapsed)
	s.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("request", c.RequestID), slog.String("operation", c.operation),
		slog.String("account", c.Account), slog.String("region", c.Region), slog.String("remote", r.RemoteAddr),
		slog.Int("status", status), slog.String("exception", exception), slog.Duration("elapsed", elapsed))
}
