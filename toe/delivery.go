package toe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ingot.dev/ingot/toe/cloud"
)

// completeStream fills in the name of a log stream.
func (r *Request) completeStream() error {
	if r.LogStream == nil {
		return nil
	}
	stream := *r.LogStream
	if stream.Group == "" {
		return errors.New("the log stream needs the name of its log group")
	}
	if stream.Stream == "" {
		stream.Stream = r.ExecutionID
	}
	r.LogStream = &stream
	return nil
}

// observer gets the lines of console.log.
func (s *session) observer() func(Event) {
	to := s.saved.Run.Request.LogStream
	if to == nil {
		return s.options.Observer
	}
	s.stream = s.cloud.LogStream(to.Group, to.Stream, to.Region)
	return func(e Event) {
		s.stream.Add(e.Time, e.Message) // the stream has the time itself (§12.2)
		if s.options.Observer != nil {
			s.options.Observer(e)
		}
	}
}

// deliver brings the logs so far to where the request wants them. The result
// then says where they are.
func (s *session) deliver(ctx context.Context, result *Result) error {
	if ctx.Err() != nil { // the logs of a cancelled run are wanted, too
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lateDelivery)
		defer cancel()
	}
	err := errors.Join(s.flushStream(), s.uploadLogs(ctx, result))
	if err != nil && result.FailureMessage == "" {
		result.FailureMessage = err.Error()
	}
	return err
}

const lateDelivery = time.Minute

func (s *session) flushStream() error {
	if s.stream == nil {
		return nil
	}
	err := s.stream.Flush()
	if err != nil && s.saved.Run.Request.LogStream.IgnoreFailures {
		s.log.Warn("the log stream is incomplete", "error", err)
		return nil
	}
	return err
}

// uploadLogs copies the log folder into its bucket (§12.1).
func (s *session) uploadLogs(ctx context.Context, result *Result) error {
	to := s.saved.Run.Request.LogBucket
	if to == nil {
		return nil
	}
	bucket := s.cloud.Bucket(to.Name, to.Owner)
	folder := cloud.Location{Bucket: to.Name, Key: to.KeyPrefix}.Join(filepath.Base(s.saved.LogFolder))
	entries, err := os.ReadDir(s.saved.LogFolder)
	if err != nil {
		return fmt.Errorf("uploading logs: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := uploadLog(ctx, bucket, folder.Join(e.Name()).Key, filepath.Join(s.saved.LogFolder, e.Name())); err != nil {
			return fmt.Errorf("uploading logs: %w", err)
		}
	}
	result.LogURL = folder.String()
	return nil
}

func uploadLog(ctx context.Context, bucket *cloud.Bucket, key, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return bucket.Upload(ctx, key, f)
}
