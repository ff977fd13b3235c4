package ingot

import (
	"context"
	"time"

	"ingot.dev/ingot/model"
)

// endRun does for the pipeline of an image what the end of its making asks
// for; was is the status before. Source: api.md §5.4, §5.5.
func endRun(ctx context.Context, tx Tx, arn ARN, image *model.Image, was model.ImageStatus, now time.Time) error {
	if image.SourcePipelineArn == "" || !IsImagePending(was) {
		return nil
	}
	pipeline, err := ParseARN(image.SourcePipelineArn)
	if err != nil {
		return err
	}
	switch {
	case image.State.Status == model.ImageStatusAvailable:
		if err := tx.PromoteDependencies(ctx, arn); err != nil {
			return err
		}
		return forgetFailures(ctx, tx, pipeline)
	case image.State.Status == model.ImageStatusFailed && image.BuildType == model.BuildTypeScheduled:
		return CountFailedRun(ctx, tx, pipeline, now)
	}
	return nil
}

// forgetFailures sets the count of a pipeline to 0, if it has one.
func forgetFailures(ctx context.Context, tx Tx, pipeline ARN) error {
	return updateCount(ctx, tx, pipeline, func(p *model.ImagePipeline) bool {
		if *p.ConsecutiveFailures == 0 {
			return false
		}
		*p.ConsecutiveFailures = 0
		return true
	})
}

// CountFailedRun counts a scheduled run of a pipeline that failed, with or
// without an image, and disables the pipeline when its policy says so. A
// pipeline without a policy has no count. Source: api.md §5.5.
func CountFailedRun(ctx context.Context, tx Tx, pipeline ARN, now time.Time) error {
	disabled := 0
	err := updateCount(ctx, tx, pipeline, func(p *model.ImagePipeline) bool {
		*p.ConsecutiveFailures++
		if *p.ConsecutiveFailures >= p.Schedule.AutoDisablePolicy.FailureCount && p.Status == model.PipelineStatusEnabled {
			p.Status, disabled = model.PipelineStatusDisabled, *p.ConsecutiveFailures
		}
		return true
	})
	if err != nil || disabled == 0 {
		return err
	}
	if err := tx.DeleteDue(ctx, pipeline); err != nil {
		return err
	}
	return TellPipelineDisabled(ctx, tx, pipeline, disabled, now)
}

// updateCount lets change alter a pipeline that counts its failures; change
// reports whether it did. A pipeline that is gone has nothing to count.
func updateCount(ctx context.Context, tx Tx, pipeline ARN, change func(*model.ImagePipeline) bool) error {
	record, err := tx.Get(ctx, pipeline)
	if ErrorCode(err) == CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := Decode[model.ImagePipeline](record)
	if err != nil {
		return err
	}
	if p.Schedule == nil || p.Schedule.AutoDisablePolicy == nil {
		return nil
	}
	if p.ConsecutiveFailures == nil {
		p.ConsecutiveFailures = new(0)
	}
	if !change(p) {
		return nil
	}
	_, err = tx.Update(ctx, pipeline, nil, func(r *Record) error { return putPipeline(r, p) })
	return err
}
