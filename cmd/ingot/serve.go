package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/client"
	"ingot.dev/ingot/server"
)

func newServeCommand(a *app) *cobra.Command {
	var listen string
	var cert tlsSettings
	serve := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API and run builds",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.load()
			if err != nil {
				return err
			}
			if listen != "" {
				s.Listen = listen
			}
			if cert.Cert != "" || cert.Key != "" {
				s.TLS = cert
			}
			if err := s.TLS.check(); err != nil {
				return exitError{exitUsage, err}
			}
			level := slog.LevelInfo
			if a.debug {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
			held, err := dataDir(s.Data).lock()
			if err != nil {
				return err
			}
			defer held.Close()
			s.schedules = true
			return serving(cmd.Context(), s, log, func(ctx context.Context, _ *connection, url string) error {
				fmt.Fprintf(a.stderr, "listening on %s\n", url)
				<-ctx.Done()
				return nil
			})
		},
	}
	serve.Flags().StringVar(&listen, "listen", "", "`address` of the API; port 0 picks a free one (default 127.0.0.1:7480)")
	serve.Flags().StringVar(&cert.Cert, "tls-cert", "", "`file` with the certificate of the API and its intermediates, PEM; with --tls-key")
	serve.Flags().StringVar(&cert.Key, "tls-key", "", "`file` with the key of the certificate, PEM")
	serve.Flags().StringVar(&cert.CA, "tls-ca", "", "`file` with the authority that clients must trust, PEM, if their systems do not")
	return serve
}

// connection is how commands reach a server, running or embedded.
type connection struct {
	settings settings
	API      *client.Client
	Admin    *admin.Client
	embedded bool
}

// withServer calls f with a connection to the server of the data directory, or
// to one that is embedded in this process while f runs.
func (a *app) withServer(ctx context.Context, f func(context.Context, *connection) error) error {
	s, err := a.load()
	if err != nil {
		return err
	}
	d := dataDir(s.Data)
	held, err := d.lock()
	if errors.Is(err, errLocked) {
		c, err := connect(s)
		if err != nil {
			return err
		}
		defer c.Admin.Close()
		return f(ctx, c)
	}
	if err != nil {
		return err
	}
	defer held.Close()
	s.Listen, s.Endpoint, s.TLS, s.Metrics = "127.0.0.1:0", "", tlsSettings{}, ""
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: a.embeddedLevel()}))
	return serving(ctx, s, log, func(ctx context.Context, c *connection, _ string) error {
		c.embedded = true
		return f(ctx, c)
	})
}

// embeddedLevel keeps a one-shot command's standard error for its own words.
func (a *app) embeddedLevel() slog.Level {
	if a.debug {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// connect reaches the running server of a data directory.
func connect(s settings) (*connection, error) {
	d := dataDir(s.Data)
	endpoint, err := d.readEndpoint()
	if err != nil {
		return nil, err
	}
	key, err := d.readCredentials()
	if err != nil {
		return nil, fmt.Errorf("reading the access key: %w", err)
	}
	roots, err := d.readRoots()
	if err != nil {
		return nil, err
	}
	return &connection{
		settings: s,
		API: &client.Client{
			Endpoint: endpoint, Region: s.Region, Roots: roots,
			AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey,
		},
		Admin: admin.NewClient(adminSocket(s)),
	}, nil
}

func adminSocket(s settings) string {
	return filepath.Join(server.RuntimeDir(s.Runtime, s.Data), "admin.sock")
}

// closeGrace is how long a server may take to hand over; the contract is 10 s.
const closeGrace = 8 * time.Second

// serving runs a server on a locked data directory while f runs. The API
// listens, and the endpoint is written before f is called.
func serving(ctx context.Context, s settings, log *slog.Logger, f func(ctx context.Context, c *connection, url string) error) (err error) {
	d := dataDir(s.Data)
	key, err := d.ensureCredentials(s.Region)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program for shims: %w", err)
	}
	auditFile, err := s.auditFile()
	if err != nil {
		return err
	}
	traces, err := s.Traces.config()
	if err != nil {
		return exitError{exitUsage, err}
	}
	srv, err := server.Open(ctx, server.Config{
		Data: s.Data, Runtime: s.Runtime, Account: s.Account, Region: s.Region, Regions: s.allRegions(), Audit: auditFile,
		BuildKind: s.BuildKind, TestKind: s.TestKind, Shim: []string{self, "shim"}, Schedules: s.schedules, Builds: s.Builds, StateMachine: s.StateMachine, StateMachineCommand: s.StateMachineCommand, Log: log,
		Throttle: s.Throttle, AtOnce: s.AtOnce, Quotas: s.Quotas, Notifications: s.Notifications, Objects: s.S3, Traces: traces, Version: version, External: s.External, KeepPipelineLogs: time.Duration(s.KeepPipelineLogs),
		Key: ingot.AccessKey{ID: key.AccessKeyID, Secret: key.SecretAccessKey, Created: time.Now()},
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
		defer cancel()
		err = errors.Join(err, srv.Close(ctx))
	}()

	url, stopAPI, err := serveAPI(s, srv.API, log)
	if err != nil {
		return err
	}
	defer stopAPI()
	if err := os.RemoveAll(adminSocket(s)); err != nil {
		return fmt.Errorf("removing an old socket: %w", err)
	}
	adm, err := net.Listen("unix", adminSocket(s))
	if err != nil {
		return fmt.Errorf("listening for commands: %w", err)
	}
	stopAdmin := serveAdmin(adm, srv.Admin(), log)
	defer stopAdmin()

	stopMetrics, err := serveMetrics(s, srv.Metrics(), log)
	if err != nil {
		return err
	}
	defer stopMetrics()

	if err := d.writeEndpoint(url, s.TLS.CA); err != nil {
		return err
	}
	c, err := connect(s)
	if err != nil {
		return err
	}
	defer c.Admin.Close()
	return f(ctx, c, url)
}

// serveAdmin serves the commands of this machine's operator until stop is
// called, which ends requests under way. They may take as long as they like.
func serveAdmin(l net.Listener, h http.Handler, log *slog.Logger) (stop func()) {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving", "address", l.Addr(), "error", err)
		}
	}()
	return func() {
		if err := srv.Close(); err != nil {
			log.Error("closing", "address", l.Addr(), "error", err)
		}
		<-done
	}
}
