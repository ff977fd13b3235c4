package server

import (
	"context"

	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/blob/dir"
	"ingot.dev/ingot/blob/outbox"
	"ingot.dev/ingot/blob/s3"
)

// openOutbox makes what sends logs to the object store: the S3 server of the
// settings, or without one a folder.
func (s *Server) openOutbox() {
	var store blob.Store = dir.Store(s.path("objects"))
	if s.Objects.Endpoint != "" {
		store = s3.New(s.Objects)
	}
	s.outbox = outbox.New(outbox.Config{Dir: s.path("outbox"), Store: store, Log: s.Log})
}

// sendObjects sends what waits until ctx ends; the rest is for the next start.
func (s *Server) sendObjects(ctx context.Context) {
	s.background.Go(func() { s.outbox.Run(ctx) })
}
