package server

import (
	"context"
	"errors"

	"ingot.dev/ingot"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/flow/journal"
)

// openBuilder makes the engine and registers the build with it.
func (s *Server) openBuilder() {
	s.engine = journal.New(s.db.Writer())
	s.builder = build.New(build.Config{
		Records:   s.db,
		Engine:    s.engine,
		Drivers:   s.drivers,
		Regions:   s.regions,
		Boot:      s,
		Dir:       s.path("builds"),
		Instances: s.path("instances"),
		Scopes:    []ingot.Scope{s.scope()},
		BuildKind: s.BuildKind,
		TestKind:  s.TestKind,
		Log:       s.Log,
	})
}

// sweep removes what no build and nobody else needs any more: instances that
// were launched by hand and live, or were kept after a failure, stay.
func (s *Server) sweep(ctx context.Context) error {
	return errors.New("not written yet")
}

// testKind is where tests and launched instances run when nothing else is said.
func (s *Server) testKind(ctx context.Context) string {
	if s.TestKind != "auto" {
		return s.TestKind
	}
	return compute.KindContainer
}
