package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ingot.dev/ingot"
)

// line is one line of a pipeline's log.
type line struct {
	Pipeline string `json:"pipeline"`
	ingot.Tick
}

// keep records a tick, and the line that tells of it: whatever happens after
// the transaction, it will be in the pipeline's log once.
func (p pipeline) keep(ctx context.Context, tx ingot.Tx, t ingot.Tick) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line{p.record.ARN.String(), t}); err != nil {
		return fmt.Errorf("encoding a tick of %s: %w", p.record.ARN, err)
	}
	stream := ingot.PipelineLog(p.record.ARN, p.document, t.Time)
	if err := tx.PutLogLine(ctx, stream, string(bytes.TrimSuffix(text.Bytes(), []byte("\n")))); err != nil {
		return err
	}
	return tx.PutTick(ctx, p.record.ARN, t)
}

// maxLines is how many lines are written together.
const maxLines = 1000

// writeLogs writes the lines that are kept. Those that cannot be written stay
// for the next time.
func (s *Scheduler) writeLogs(ctx context.Context) {
	for more := true; more; {
		lines, err := s.Store.LogLines(ctx, maxLines)
		if err == nil && len(lines) > 0 {
			err = s.write(ctx, lines)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("lines of the logs of pipelines are not written; they are kept, and tried again", "error", err)
		}
		more = err == nil && len(lines) == maxLines
	}
}

// write adds lines to their logs, and forgets them when they are on the disk.
func (s *Scheduler) write(ctx context.Context, lines []ingot.LogLine) error {
	var streams []ingot.LogStream
	texts := map[ingot.LogStream][]string{}
	for _, l := range lines {
		if texts[l.Stream] == nil {
			streams = append(streams, l.Stream)
		}
		texts[l.Stream] = append(texts[l.Stream], l.Text)
	}
	for _, stream := range streams {
		if err := s.Logs.Append(stream, texts[stream]); err != nil {
			return err
		}
	}
	last := lines[len(lines)-1].Order
	return s.Store.Write(ctx, func(tx ingot.Tx) error { return tx.DeleteLogLines(ctx, last) })
}

// pruneEvery is how often old logs are looked for.
const pruneEvery = 24 * time.Hour

// pruneLogs removes the logs of days that need not be kept any more.
func (s *Scheduler) pruneLogs() {
	now := s.Now()
	if s.KeepLog == 0 || now.Sub(s.pruned) < pruneEvery {
		return
	}
	s.pruned = now
	if err := s.Logs.Prune(now.Add(-s.KeepLog)); err != nil {
		s.Log.Error("old logs are not removed; it is tried again tomorrow", "error", err)
	}
}
