package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ingot.dev/ingot/build"
	"ingot.dev/ingot/trace"
)

func (s *Server) openTracer() (err error) {
	if s.Traces.URL == "" {
		return nil
	}
	s.Traces.Version, s.Traces.Log = s.Version, s.Log
	if s.tracer, err = trace.New(s.Traces); err != nil {
		return fmt.Errorf("starting traces: %w", err)
	}
	return nil
}

// flushTime bounds what the end of a server waits for the collector.
const flushTime = 2 * time.Second

func (s *Server) closeTracer(ctx context.Context) {
	if s.tracer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if err := s.tracer.Close(ctx); err != nil {
		s.Log.Warn("the last traces did not reach the collector", slog.Any("error", err))
	}
}

// observe is told of each part of a build that has ended.
func (s *Server) observe(p build.Part) {
	s.metrics.observe(p)
	if s.tracer == nil {
		return
	}
	s.tracer.Record(trace.Span{
		Trace: p.Run, ID: p.ID, Parent: p.Parent, Name: p.Name, Start: p.Start, End: p.End, Error: p.Reason,
		Attributes: map[string]string{
			"ingot.kind": string(p.Kind), "ingot.run": p.Run, "ingot.action": p.Action, "ingot.status": p.Status,
		},
	})
}
