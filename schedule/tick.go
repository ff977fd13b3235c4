package schedule

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// pipeline is one that is due.
type pipeline struct {
	record    ingot.Record
	document  *model.ImagePipeline
	timetable Timetable
}

// read returns the pipeline that is due; CodeNotFound if it is not any more,
// or at another time. One whose schedule cannot be read is never due again.
func (s *Scheduler) read(ctx context.Context, tx ingot.Tx, due ingot.Due) (p pipeline, err error) {
	current, err := tx.Due(ctx, due.Pipeline)
	if err != nil {
		return p, err
	}
	if !current.At.Equal(due.At) {
		return p, ingot.Errorf(ingot.CodeNotFound, "The pipeline '%s' is due at another time.", due.Pipeline)
	}
	if p.record, err = tx.Get(ctx, due.Pipeline); err != nil {
		return p, err
	}
	if p.document, err = ingot.Decode[model.ImagePipeline](p.record); err != nil {
		return p, err
	}
	p.timetable, err = NewTimetable(p.document.Schedule, p.record.Updated)
	return p, err
}

// reschedule sets when the pipeline is due after a time.
func (p pipeline) reschedule(ctx context.Context, tx ingot.Tx, after time.Time) error {
	next, ok := p.timetable.Next(after)
	if !ok {
		return tx.DeleteDue(ctx, p.record.ARN)
	}
	return tx.PutDue(ctx, ingot.Due{Pipeline: p.record.ARN, At: next})
}

// tick deals with one pipeline that is due. Its next time, what became of this
// one, and the image are one transaction: a tick that is cut off happens again
// or has happened. An error means that the store failed.
func (s *Scheduler) tick(ctx context.Context, due ingot.Due) error {
	var p pipeline
	var t ingot.Tick
	err := s.Store.Write(ctx, func(tx ingot.Tx) (err error) {
		p, t, err = s.act(ctx, tx, due)
		return err
	})
	if refused := err; err != nil && !ingot.IsTransient(ctx, err) {
		err = s.Store.Write(ctx, func(tx ingot.Tx) (err error) {
			p, t, err = s.refuse(ctx, tx, due, refused)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("running %s: %w", due.Pipeline, err)
	}
	if t.Outcome != "" {
		s.report(ctx, p, t)
	}
	return nil
}

// giveUp passes on what may go away. A pipeline that was written or deleted
// meanwhile is somebody else's business; one that cannot be read is not due
// until it is written again, for it must not keep the others waiting.
func (s *Scheduler) giveUp(ctx context.Context, tx ingot.Tx, due ingot.Due, err error) error {
	switch {
	case err == nil, ingot.ErrorCode(err) == ingot.CodeNotFound:
		return nil
	case ingot.IsTransient(ctx, err):
		return err
	}
	s.Log.Error("the schedule of a pipeline cannot be read; it runs no more until it is written again", "pipeline", due.Pipeline, "error", err)
	return tx.DeleteDue(ctx, due.Pipeline)
}

// report tells the server's log and the builder what was decided.
func (s *Scheduler) report(ctx context.Context, p pipeline, t ingot.Tick) {
	s.Log.Info("a pipeline was due", "pipeline", p.record.ARN, "tick", t.At, "outcome", t.Outcome, "reason", t.Reason, "image", t.Image)
	if t.Image == "" {
		return
	}
	image, err := ingot.ParseARN(t.Image)
	if err == nil {
		err = s.Builder.StartImage(ctx, image)
	}
	if err != nil {
		s.Log.Error("a build was not begun; the next start of the server will", "image", t.Image, "error", err)
	}
}

// act decides a tick and carries it out.
func (s *Scheduler) act(ctx context.Context, tx ingot.Tx, due ingot.Due) (p pipeline, t ingot.Tick, err error) {
	if p, err = s.read(ctx, tx, due); err != nil {
		return p, t, err
	}
	now := s.Now()
	t.Time = now
	at, usable := p.timetable.latest(due.At, now)
	t.At = at
	if err := p.reschedule(ctx, tx, now); err != nil {
		return p, t, err
	}
	if usable {
		t.Outcome, t.Reason, err = s.decide(ctx, tx, p)
	} else {
		t.Outcome, t.Reason = ingot.TickMissed, fmt.Sprintf("this server looked at it %s late; at most %s is made up for", now.Sub(at).Round(time.Second), maxLate)
	}
	if err == nil && t.Outcome == ingot.TickStarted {
		var image ingot.ARN
		image, err = ingot.StartPipeline(ctx, tx, tx, p.record.ARN, model.BuildTypeScheduled, p.document.ImageTags, now)
		t.Image = image.String()
	}
	if err != nil {
		return p, t, err
	}
	return p, t, p.keep(ctx, tx, t)
}

// decide says whether a tick starts a build, and why. Source: api.md §5.4.
func (s *Scheduler) decide(ctx context.Context, tx ingot.Tx, p pipeline) (ingot.TickOutcome, string, error) {
	now, err := ingot.FindDependencies(ctx, tx, s.Store, p.record.ARN, p.document)
	if err != nil {
		return "", "", err
	}
	if p.document.Schedule.PipelineExecutionStartCondition == model.PipelineExecutionStartConditionExpressionMatchOnly {
		return ingot.TickStarted, "the pipeline runs at each tick of its schedule", nil
	}
	q := ingot.PipelineImages(p.record.ARN, 1)
	q.Filters = append(q.Filters, ingot.Filter{Name: ingot.FilterStatus, Values: ingot.ImagePending})
	running, err := tx.List(ctx, q)
	if err != nil {
		return "", "", err
	}
	if len(running.Records) > 0 {
		image := running.Records[0]
		return ingot.TickSkipped, fmt.Sprintf("the image %s is still %s", image.ARN, image.Status), nil
	}
	image, last, err := tx.LastDependencies(ctx, p.record.ARN)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return ingot.TickStarted, "no image of the pipeline became AVAILABLE yet", nil
	}
	if err != nil {
		return "", "", err
	}
	if changes := last.Changes(now); len(changes) > 0 {
		return ingot.TickStarted, strings.Join(changes, "; "), nil
	}
	return ingot.TickSkipped, fmt.Sprintf("nothing changed since image %s", image), nil
}

// refuse records a run that could not be started, for a reason that the next
// tick may find gone. Source: api.md §5.4, §5.5.
func (s *Scheduler) refuse(ctx context.Context, tx ingot.Tx, due ingot.Due, reason error) (p pipeline, t ingot.Tick, err error) {
	if p, err = s.read(ctx, tx, due); err != nil {
		return p, t, s.giveUp(ctx, tx, due, err)
	}
	now := s.Now()
	t = ingot.Tick{Time: now, Outcome: ingot.TickFailed, Reason: reason.Error()}
	t.At, _ = p.timetable.latest(due.At, now)
	if err := p.reschedule(ctx, tx, now); err != nil {
		return p, t, err
	}
	if err := p.keep(ctx, tx, t); err != nil {
		return p, t, err
	}
	return p, t, ingot.CountFailedRun(ctx, tx, p.record.ARN, now)
}
