// Package server puts the parts together: one process that serves the API,
// runs builds, and does what an operator of the machine asks for.
//
//	sqlite ── api ──────────────┐
//	   └──── journal ── build ──┼── region (disks, AMIs)
//	                       └────┴── container, qemu (instances)
//
// Open adopts what an earlier process left: builds go on, instances are held by
// their shims meanwhile, and what belongs to neither is swept.
package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/audit"
	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/blob/outbox"
	"ingot.dev/ingot/blob/s3"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/container"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/compute/shim"
	"ingot.dev/ingot/flow/journal"
	"ingot.dev/ingot/lifecycle"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/notify"
	"ingot.dev/ingot/region"
	"ingot.dev/ingot/schedule"
	"ingot.dev/ingot/sqlite"
	"ingot.dev/ingot/trace"
)

// Config is what a server is told. All fields are required but Schedules, Builds and
// those of the API's bounds, whose zero values set none; those of Quotas allow none.
type Config struct {
	Data      string          // the data directory, locked by the caller
	Runtime   string          // folder of sockets; short path
	Account   string          // twelve digits: the server's own, beside which there may be others
	Region    string          // where commands look for bases
	Regions   []string        // all that requests may name, Region among them
	BuildKind string          // container, qemu or auto
	TestKind  string          // container, qemu or auto
	Key       ingot.AccessKey // of the account's administrator
	Shim      []string        // the program that calls shim.Main, and its arguments before the folder
	Schedules bool            // run the pipelines and lifecycles that are due
	Builds    build.Limits    // zero values: by the host
	// StateMachine is the URL that ExecuteStateMachine posts to; empty: none.
	StateMachine string
	// StateMachineCommand is the program that it runs instead, and its arguments.
	StateMachineCommand []string
	Version             string // of the program
	Log                 *slog.Logger
	Audit               string // file of the audit log; empty: none
	Throttle            api.Throttle
	AtOnce              int // requests worked on at once
	Quotas              ingot.Quotas
	External            ingot.Externals // what requests may name outside; nil: anything

	KeepPipelineLogs time.Duration // of a day, from its end; 0: for good

	Notifications notify.Settings // checked
	Traces        trace.Config    // where spans of builds go, without a URL nowhere; Version and Log are the server's
	Objects       s3.Config       // where objects are kept; without an endpoint, in the data directory
}

// Server is everything that runs in the process.
type Server struct {
	Config
	API http.Handler

	db      *sqlite.DB
	audit   *audit.Log // nil: none
	engine  *journal.Engine
	builder *build.Builder
	regions *region.Set
	drivers map[string]compute.Driver
	told    *notify.Notifier
	objects blob.Store
	outbox  *outbox.Outbox
	logs    *logs.Store

	registry *prometheus.Registry
	metrics  metrics
	tracer   *trace.Tracer // nil: none

	scheduler *schedule.Scheduler
	lifecycle *lifecycle.Runner

	background sync.WaitGroup
	stop       context.CancelFunc // of what runs in the background until Close
}

// Machines are the kinds of instances that a shim of this program can hold.
func Machines() map[string]shim.Machine {
	return map[string]shim.Machine{
		compute.KindContainer: container.Machine{},
		compute.KindQEMU:      qemu.Machine{},
	}
}

// Tag tells installations on one host apart: it is in the name of everything
// that this one makes there. It comes from the data directory.
func Tag(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:3])
}

// RuntimeDir is where an installation's sockets are.
func RuntimeDir(runtime, data string) string { return filepath.Join(runtime, Tag(data)) }

// Open starts everything but the listener. Close it after use.
func Open(ctx context.Context, c Config) (_ *Server, err error) {
	s := &Server{Config: c, logs: Logs(c.Data)}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	for _, dir := range []string{c.Data, s.path("instances"), s.path("builds"), s.runtime()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("preparing the data directory: %w", err)
		}
	}
	if s.db, err = sqlite.Open(ctx, s.path("ingot.db")); err != nil {
		return nil, err
	}
	s.db.Quotas = c.Quotas
	s.registry = s.newMetrics()
	if err := s.openTracer(); err != nil {
		return nil, err
	}
	err = s.db.Write(ctx, func(tx ingot.Tx) error { return ingot.PutAdministrator(ctx, tx, c.Account, c.Key) })
	if err != nil {
		return nil, fmt.Errorf("storing the administrator's key: %w", err)
	}
	if s.told, err = notify.Start(notify.Config{Outbox: s.db, Settings: c.Notifications, Log: c.Log}); err != nil {
		return nil, fmt.Errorf("setting notifications.%w", err)
	}
	s.regions = region.Open(s.path("regions"), s.path("cache"), s.db)
	if s.drivers, err = openDrivers(c.Data, c.Runtime, c.Shim); err != nil {
		return nil, err
	}
	s.openOutbox()
	if err := s.openBuilder(ctx); err != nil {
		return nil, err
	}
	s.openScheduler()
	s.openLifecycle()
	if c.Audit != "" {
		if s.audit, err = audit.Open(c.Audit); err != nil {
			return nil, err
		}
	}
	if s.API, err = s.newAPI(ctx); err != nil {
		return nil, err
	}
	if err := s.syncCatalog(ctx); err != nil {
		return nil, err
	}
	if err := s.sweep(ctx); err != nil {
		return nil, err
	}
	if err := s.engine.Open(ctx); err != nil {
		return nil, err
	}
	s.sendObjects(running)
	// The first build should not wait for the answer.
	s.background.Go(func() { s.drivers[compute.KindContainer].Probe(ctx) })
	if err := s.builder.Resume(ctx); err != nil {
		return nil, err
	}
	if c.Schedules {
		s.background.Go(func() { s.scheduler.Run(running) })
		s.background.Go(func() { s.lifecycle.Run(running) })
	}
	return s, nil
}

func (s *Server) path(elem ...string) string {
	return filepath.Join(append([]string{s.Data}, elem...)...)
}

func (s *Server) runtime() string { return RuntimeDir(s.Config.Runtime, s.Data) }

// Logs are those of a data directory.
func Logs(data string) *logs.Store {
	return &logs.Store{
		Dir:   filepath.Join(data, "logs"),
		Image: func(image ingot.ARN) string { return build.LogFile(filepath.Join(data, "builds"), image) },
	}
}

// scopes are all namespaces: each account in each region.
func (s *Server) scopes(ctx context.Context) ([]ingot.Scope, error) {
	accounts, err := s.db.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	var scopes []ingot.Scope
	for _, a := range accounts {
		for _, name := range s.Regions {
			scopes = append(scopes, ingot.Scope{Account: a.ID, Region: name})
		}
	}
	return scopes, nil
}

// Close ends the process's part. Running builds are handed to the next start:
// their instances live on under their shims.
func (s *Server) Close(ctx context.Context) error {
	var errs []error
	s.stop()
	s.background.Wait()
	if s.engine != nil {
		errs = append(errs, s.engine.Close(ctx))
	}
	if s.audit != nil {
		errs = append(errs, s.audit.Close())
	}
	s.closeTracer(ctx) // after the engine: builds tell what they did last
	if s.told != nil {
		s.told.Close() // after the engine: builds tell what they did last
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}

func (s *Server) newAPI(ctx context.Context) (http.Handler, error) {
	return api.New(ctx, api.Config{
		Store:     s.db,
		Regions:   s.Regions,
		Audit:     s.audit,
		Builder:   s.builder,
		Documents: s.readDocument,
		Exists:    s.External.Exists,
		Scheduler: s.scheduler,
		Lifecycle: s.lifecycle,
		Logs:      s.logs,
		Throttle:  s.Throttle,
		AtOnce:    s.AtOnce,
		Metrics:   s.registry,
		Ready: func(ctx context.Context) error {
			_, err := s.builder.DefaultBuildKind(ctx)
			return err
		},
		Log: s.Log,
	})
}

// Admin is what the commands of this program ask for, beside the API.
func (s *Server) Admin() http.Handler {
	h := new(admin.Handler)
	admin.Handle(h, "base/list", s.listBases)
	admin.Handle(h, "base/add", s.addBase)
	admin.Handle(h, "base/remove", s.removeBase)
	admin.Handle(h, "image/list", s.listImages)
	admin.Handle(h, "image/show", s.showImage)
	admin.Handle(h, "image/launch", s.launchImage)
	admin.Handle(h, "image/check", s.checkImage)
	admin.Handle(h, "image/export", s.exportImage)
	admin.Handle(h, "image/diff", s.diffImages)
	admin.Handle(h, "image/remove", s.removeImage)
	admin.Handle(h, "image/retry", s.retryImage)
	admin.Handle(h, "pipeline/list", s.listPipelines)
	admin.Handle(h, "pipeline/show", s.showPipeline)
	admin.Handle(h, "pipeline/why", s.explainPipeline)
	admin.Handle(h, "lifecycle/preview", s.previewLifecycle)
	admin.Handle(h, "lifecycle/run", s.runLifecycle)
	s.handleParameters(h)
	admin.Handle(h, "instance/list", s.listInstances)
	admin.Handle(h, "instance/exec", s.execInstance)
	admin.Handle(h, "instance/stop", s.stopInstance)
	s.handleIdentity(h)
	admin.Handle(h, "event/list", s.listEvents)
	admin.Handle(h, "event/deliveries", s.listDeliveries)
	admin.Handle(h, "event/retry", s.retryDelivery)
	return h
}
