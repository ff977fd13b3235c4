package ingot

import (
	"context"

	"ingot.dev/ingot/model"
)

// RetryImage checks whether the failed part of an image can run again. The run
// itself is CodeNotImplemented. Source: api.md §3.7.
func RetryImage(ctx context.Context, tx Tx, arn ARN) error {
	record, err := tx.Get(ctx, arn)
	if err != nil {
		return err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return err
	}
	switch status := image.State.Status; {
	case IsImagePending(status):
		return Errorf(CodeInUse, "The image '%s' is %s. Only one that has failed or was cancelled can be retried.", arn, status)
	case image.Type == model.ImageTypeDocker:
		return Errorf(CodeRequest, "The image '%s' is a container image, which cannot be retried. Build it again.", arn)
	case status != model.ImageStatusFailed && status != model.ImageStatusCancelled:
		return Errorf(CodeRequest, "The image '%s' is %s. Only one that has failed or was cancelled can be retried.", arn, status)
	}
	built, err := passedBuild(ctx, tx, arn)
	if err != nil {
		return err
	}
	if !built {
		return Errorf(CodeRequest, "The image '%s' ended before its build stage made an AMI, so there is nothing to go on from. Build it again.", arn)
	}
	return Errorf(CodeNotImplemented, "This server does not retry images yet. Build it again.")
}

// passedBuild reports whether an image got beyond its build stage: its build
// workflow was completed, or one of a later stage was begun.
func passedBuild(ctx context.Context, r ExecutionReader, image ARN) (bool, error) {
	const page = 25
	for after, more := "", true; more; more = after != "" {
		list, next, err := r.WorkflowExecutions(ctx, image, after, page)
		if err != nil {
			return false, err
		}
		for _, e := range list {
			if e.Type == model.WorkflowTypeBuild && e.Status == model.WorkflowExecutionStatusCompleted ||
				e.Type != model.WorkflowTypeBuild && e.Status != model.WorkflowExecutionStatusSkipped && e.Status != model.WorkflowExecutionStatusPending {
				return true, nil
			}
		}
		after = next
	}
	return false, nil
}
