// Package api serves the EC2 Image Builder API over HTTP.
//
// All operations take one path: route, authenticate, decode, check the limits
// of the model, authorize, look up the client token, run the handler, encode. A handler
// sees valid, typed input and returns typed output or an *ingot.Error; it does
// not see HTTP. Handlers are in a file per resource (component.go, recipe.go …).
//
// # Adding an operation
//
// Say in the table of authorize.go what its caller must be allowed to do. Write
// a method with one of two signatures and name it in the file's register
// function:
//
//	func (s *Server) getComponent(ctx context.Context, in *model.GetComponentRequest) (*model.GetComponentResponse, error)
//	func (s *Server) createComponent(ctx context.Context, tx ingot.Tx, in *model.CreateComponentRequest) (*model.CreateComponentResponse, error)
//
//	func (s *Server) registerComponents() {
//		read(s, "GetComponent", s.getComponent)
//		write(s, "CreateComponent", s.createComponent)
//	}
//
// A write handler runs inside one store transaction, together with the client
// token's lookup and its saved answer: all of it happens or none. So it waits
// for nothing but the store; what must follow the commit goes to
// [afterCommit]. dryRun is not its concern: the transaction is rolled back
// after it. A handler gets its caller with [callerOf] and fills in neither
// requestId nor clientToken; the limits of the model hold for its input;
// nextToken is a plain store cursor both ways; empty lists of a List response
// become []. What this server cannot do yet is refused with CodeNotImplemented,
// after all that can be checked.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/sigv4"
	"ingot.dev/ingot/audit"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/model"
)

// Config is what a Server works with. Store is required; it also has the
// accounts and keys of those who may ask.
type Config struct {
	Store     ingot.Store
	Partition string                      // of the ARNs made here; default "aws"
	Regions   []string                    // that requests may name; empty: any well-formed one
	Now       func() time.Time            // default time.Now
	Log       *slog.Logger                // default slog.Default()
	Metrics   *prometheus.Registry        // served at /metrics to this machine; default: a new one
	Ready     func(context.Context) error // why builds cannot be taken, for /readyz; nil: always ready
	Builder   Builder                     // nil: images stay PENDING
	Documents Documents                   // nil: requests must hold their documents
	Exists    Exists                      // nil: everything does
	Scheduler Scheduler                   // nil: pipelines do not run by themselves
	Lifecycle Scheduler                   // nil: neither do lifecycle policies, and executions stay as they are
	Logs      *logs.Store                 // nil: there are none
	Audit     *audit.Log                  // nil: none
	Throttle  Throttle
	AtOnce    int // requests worked on at once; 0: no bound
}

// Builder carries out what the records ask for. Both are called after the
// commit and may be repeated; what a crash kept from being called, the builder
// finds in the records when it starts.
type Builder interface {
	StartImage(ctx context.Context, image ingot.ARN) error
	CancelImage(ctx context.Context, image ingot.ARN) error
	AnswerStep(ctx context.Context, step ingot.StepExecution) error
}

// Scheduler does by itself what is due. Changed is called after something that
// may be due earlier was written.
type Scheduler interface{ Changed() }

// Server is the API as an http.Handler. Beside the operations, which need a
// signature, it serves logs (log.go), which need one, too, and /healthz, /readyz
// and /metrics, which do not.
type Server struct {
	Config
	identities *identities
	verifier   sigv4.Verifier
	operations map[string]*operation // by method and path
	buckets    *buckets
	slots      slots
	large      slots // bodies beyond smallBody that are being read
	followers  slots // of logs
	pages      pageSealer
	metrics    metrics
	own        map[string]http.Handler // by path
}

// operation is a route and what answers it.
type operation struct {
	model.Route
	serve func(ctx context.Context, in map[string]any) (any, error)
}

// New makes a Server. It reads the key of the page tokens from the store.
func New(ctx context.Context, c Config) (*Server, error) {
	if c.Store == nil {
		return nil, errors.New("making the API server: Store is required")
	}
	if err := c.Throttle.Check(); err != nil {
		return nil, fmt.Errorf("making the API server: throttle: %w", err)
	}
	c.setDefaults()
	key, err := c.Store.Secret(ctx, "page-token")
	if err != nil {
		return nil, fmt.Errorf("reading the key of page tokens: %w", err)
	}
	who := &identities{store: c.Store, partition: c.Partition}
	s := &Server{
		Config:     c,
		identities: who,
		verifier:   sigv4.Verifier{Service: "imagebuilder", Lookup: who.credentials, Regions: c.Regions, Now: c.Now},
		operations: map[string]*operation{},
		buckets:    newBuckets(c.Throttle),
		slots:      newSlots(c.AtOnce),
		large:      newSlots(largeBodies),
		followers:  newSlots(maxFollowers),
		pages:      pageSealer{key: key, now: c.Now},
		metrics:    newMetrics(c.Metrics),
	}
	for _, route := range model.Routes {
		s.operations[route.Method+" "+route.Path] = &operation{Route: route}
	}
	s.own = map[string]http.Handler{
		"/healthz": http.HandlerFunc(s.healthz),
		"/readyz":  http.HandlerFunc(s.readyz),
		"/metrics": onlyLocal(MetricsHandler(c.Metrics)),
	}
	s.registerComponents()
	s.registerRecipes()
	s.registerContainerRecipes()
	s.registerInfrastructure()
	s.registerDistributions()
	s.registerPipelines()
	s.registerImages()
	s.registerWorkflows()
	s.registerWorkflowExecutions()
	s.registerLifecyclePolicies()
	s.registerLifecycleExecutions()
	s.registerImageWork()
	s.registerScans()
	s.registerMarketplace()
	s.registerTags()
	s.registerPolicies()
	return s, nil
}

func (c *Config) setDefaults() {
	if c.Partition == "" {
		c.Partition = "aws"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
}

const tagPath = "/tags/"

// route finds the operation of a request, and the escaped path label of a tag
// operation. It works on the path as sent: a decoded label has slashes.
func (s *Server) route(r *http.Request) (op *operation, label string, ok bool) {
	path := r.URL.EscapedPath()
	if rest, isTag := strings.CutPrefix(path, tagPath); isTag {
		path, label = "/tags/{resourceArn}", rest
	}
	op, ok = s.operations[r.Method+" "+path]
	return op, label, ok
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.Ready != nil {
		if err := s.Ready(r.Context()); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ready")
}
