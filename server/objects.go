package server

import (
	"context"
	"slices"

	"ingot.dev/ingot"
	"ingot.dev/ingot/blob"
	"ingot.dev/ingot/blob/dir"
	"ingot.dev/ingot/blob/outbox"
	"ingot.dev/ingot/blob/s3"
)

// openOutbox makes what sends logs to the object store: the S3 server of the
// settings, or without one a folder.
func (s *Server) openOutbox() {
	s.objects = dir.Store(s.path("objects"))
	if s.Objects.Endpoint != "" {
		s.objects = s3.New(s.Objects)
	}
	s.outbox = outbox.New(outbox.Config{Dir: s.path("outbox"), Store: s.objects, Log: s.Log})
}

// readDocument reads what a request names by its address. Only the buckets of
// the settings are read: the others may hold what is not for every account,
// such as logs.
func (s *Server) readDocument(ctx context.Context, at blob.Location, limit int64) ([]byte, error) {
	if !slices.Contains(s.Objects.Documents, at.Bucket) {
		return nil, ingot.Errorf(ingot.CodeForbidden, "Documents are not read from the bucket '%s': the server's setting s3.documents does not name it. Supply the text itself.", at.Bucket)
	}
	return s.objects.Read(ctx, at, limit)
}

// sendObjects sends what waits until ctx ends; the rest is for the next start.
func (s *Server) sendObjects(ctx context.Context) {
	s.background.Go(func() { s.outbox.Run(ctx) })
}
