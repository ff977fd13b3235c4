package server

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"ingot.dev/ingot"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/container"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/flow/journal"
	"ingot.dev/ingot/hook"
)

// openDrivers makes the drivers of a data directory's instances. shim may be
// empty when none is launched.
func openDrivers(data, runtime string, shim []string) (map[string]compute.Driver, error) {
	instances, tag := filepath.Join(data, "instances"), Tag(data)
	c, err := container.New(container.Config{
		Dir: instances, Runtime: RuntimeDir(runtime, data), Tag: tag, Command: shim,
	})
	if err != nil {
		return nil, err
	}
	q, err := qemu.New(qemu.Config{
		Dir: instances, Runtime: RuntimeDir(runtime, data), Tag: tag, Command: shim,
		Cache: filepath.Join(data, "cache", "qemu"),
	})
	if err != nil {
		return nil, err
	}
	return map[string]compute.Driver{compute.KindContainer: c, compute.KindQEMU: q}, nil
}

// Adopt finds a live instance of a data directory, with or without a server.
func Adopt(ctx context.Context, data, runtime, id string) (compute.Instance, error) {
	drivers, err := openDrivers(data, runtime, nil)
	if err != nil {
		return nil, err
	}
	return adopt(ctx, drivers, id)
}

// adopt finds an instance with the driver that made it.
func adopt(ctx context.Context, drivers map[string]compute.Driver, id string) (compute.Instance, error) {
	for _, driver := range drivers {
		i, err := driver.Adopt(ctx, id)
		if err == nil || !errors.Is(err, compute.ErrGone) {
			return i, err
		}
	}
	return nil, ingot.Errorf(ingot.CodeNotFound, "instance %s: %w; `ingot instance list` shows those that are here", id, compute.ErrGone)
}

// openBuilder makes the engine and registers the build with it.
func (s *Server) openBuilder(ctx context.Context) error {
	if args := s.StateMachineCommand; len(args) > 0 {
		if err := hook.CheckFile(args); err != nil {
			return fmt.Errorf("setting stateMachineCommand: %w", err)
		}
	}
	scopes, err := s.scopes(ctx)
	if err != nil {
		return err
	}
	s.engine = journal.New(s.db.Writer())
	s.builder = build.New(build.Config{
		Records:   s.db,
		Engine:    s.engine,
		Drivers:   s.drivers,
		Regions:   s.regions,
		Boot:      s.bootChecker(),
		Dir:       s.path("builds"),
		Logs:      s.logs,
		Instances: s.path("instances"),
		Scopes:    scopes,
		BuildKind: s.BuildKind,
		TestKind:  s.TestKind,
		Limits:    s.Builds,
		Outbox:    s.outbox,
		Log:       s.Log,

		StateMachine: s.stateMachine(),
		HasFunction:  s.Notifications.HasFunction,
		Observe:      s.observe,
		Trusts: func(ctx context.Context, account, source string) (bool, error) {
			return ingot.TakesImages(ctx, s.db, account, source)
		},
	})
	return nil
}

// stateMachine is nil when the configuration has none.
func (s *Server) stateMachine() build.StateMachine {
	switch {
	case len(s.StateMachineCommand) > 0:
		return build.RunStateMachine(s.StateMachineCommand)
	case s.StateMachine != "":
		return build.PostStateMachine(s.StateMachine)
	}
	return nil
}

// sweep removes what an earlier process left and nobody needs: no build, no
// kept failure, and not who launched an instance that still runs.
func (s *Server) sweep(ctx context.Context) error {
	launched, err := s.launched(ctx)
	if err != nil {
		return err
	}
	return s.builder.Sweep(ctx, launched)
}

// bootChecker is nil where there is no QEMU: then builds say that they skip the check.
func (s *Server) bootChecker() build.BootChecker {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return nil
	}
	return s
}
