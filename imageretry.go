package ingot

import (
	"context"
	"strconv"
	"time"

	"ingot.dev/ingot/model"
)

// RetryImage makes an image that has failed or was cancelled one that is being
// made again, at the stage where it ended. The executions of that stage and
// later ones are superseded. Source: api.md §3.7, §4.3.
func RetryImage(ctx context.Context, tx Tx, arn ARN, now time.Time) error {
	record, err := tx.Get(ctx, arn)
	if err != nil {
		return err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return err
	}
	if err := checkRetry(ctx, tx, arn, image); err != nil {
		return err
	}
	if err := checkNotActedOn(ctx, tx, arn); err != nil {
		return err
	}
	if err := checkBuildQuota(ctx, tx, arn.Scope()); err != nil {
		return err
	}
	stage := retryStage(image)
	if err := supersede(ctx, tx, arn, stage); err != nil {
		return err
	}
	_, err = tx.Update(ctx, arn, nil, func(r *Record) error {
		r.Attributes[attributeRun] = []string{strconv.Itoa(ImageRun(*r) + 1)}
		return nil
	})
	if err != nil {
		return err
	}
	return UpdateImage(ctx, tx, arn, []model.ImageStatus{image.State.Status}, stage, now, func(*model.Image) {})
}

func checkRetry(ctx context.Context, r ExecutionReader, arn ARN, image *model.Image) error {
	switch status := image.State.Status; {
	case IsImagePending(status):
		return Errorf(CodeInUse, "The image '%s' is %s. Only one that has failed or was cancelled can be retried.", arn, status)
	case image.Type == model.ImageTypeDocker:
		return Errorf(CodeRequest, "The image '%s' is a container image, which cannot be retried. Build it again.", arn)
	case status != model.ImageStatusFailed && status != model.ImageStatusCancelled:
		return Errorf(CodeRequest, "The image '%s' is %s. Only one that has failed or was cancelled can be retried.", arn, status)
	}
	built, err := passedBuild(ctx, r, arn)
	if err != nil {
		return err
	}
	if !built {
		return Errorf(CodeRequest, "The image '%s' ended before its build stage made an AMI, so there is nothing to go on from. Build it again.", arn)
	}
	return nil
}

// retryStage is where an image goes on: an image lists outputs as soon as its
// distribution begins.
func retryStage(image *model.Image) model.ImageStatus {
	if image.OutputResources != nil && len(image.OutputResources.Amis) > 0 {
		return model.ImageStatusDistributing
	}
	return model.ImageStatusTesting
}

// supersede marks the executions that run again.
func supersede(ctx context.Context, tx Tx, image ARN, stage model.ImageStatus) error {
	for after, more := "", true; more; more = after != "" {
		list, next, err := tx.WorkflowExecutions(ctx, image, after, maxImageWorkflows)
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.Type == model.WorkflowTypeBuild || e.Type == model.WorkflowTypeTest && stage != model.ImageStatusTesting {
				continue
			}
			e.Retried = true
			if err := tx.PutWorkflowExecution(ctx, e); err != nil {
				return err
			}
		}
		after = next
	}
	return nil
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
