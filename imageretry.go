package ingot

import (
	"context"
	"slices"
	"strconv"
	"strings"
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
	stage := retryStage(image)
	again := func(e WorkflowExecution) bool {
		return e.Type == model.WorkflowTypeDistribution || e.Type == model.WorkflowTypeTest && stage == model.ImageStatusTesting
	}
	return beginRun(ctx, tx, arn, image.State.Status, stage, nil, again, now)
}

// RetryImageFrom makes an image that has failed one that is being made again,
// from a step of the workflow that failed: that one which failed, or one before
// it. Of its stage, workflows that were completed are not run again.
func RetryImageFrom(ctx context.Context, tx Tx, arn ARN, step string, now time.Time) error {
	record, err := tx.Get(ctx, arn)
	if err != nil {
		return err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return err
	}
	failed, err := checkRetryFrom(ctx, tx, arn, image, step)
	if err != nil {
		return err
	}
	again := func(e WorkflowExecution) bool {
		return e.Status != model.WorkflowExecutionStatusCompleted
	}
	from := []string{failed.WorkflowExecutionId + "/" + step}
	return beginRun(ctx, tx, arn, image.State.Status, failed.ImageStatus, from, again, now)
}

// checkRetryFrom returns where the image has failed.
func checkRetryFrom(ctx context.Context, r ExecutionReader, arn ARN, image *model.Image, step string) (*model.FailureContext, error) {
	status, failed := image.State.Status, image.State.FailureContext
	switch {
	case IsImagePending(status):
		return nil, Errorf(CodeInUse, "The image '%s' is %s. Only one that has failed can go on from a step.", arn, status)
	case status != model.ImageStatusFailed:
		return nil, Errorf(CodeRequest, "The image '%s' is %s. Only one that has failed can go on from a step.", arn, status)
	case failed == nil || failed.WorkflowExecutionId == "" || failed.FailedStep == "":
		return nil, Errorf(CodeRequest, "The image '%s' has not failed in a step of a workflow, so there is no step to go on from. Retry or build it as a whole.", arn)
	}
	const most = 25 // a workflow has 15 steps at most
	steps, _, err := r.StepExecutions(ctx, failed.WorkflowExecutionId, "", most)
	if err != nil {
		return nil, err
	}
	var begun []string
	for _, s := range steps {
		begun = append(begun, s.Name)
		if s.Name == failed.FailedStep {
			break
		}
	}
	if !slices.Contains(begun, step) {
		return nil, Errorf(CodeRequest, "The image '%s' cannot go on from '%s'. It failed in '%s'; the steps to go on from are %s.", arn, step, failed.FailedStep, strings.Join(begun, ", "))
	}
	return failed, nil
}

// beginRun makes an image with the status one that is at a stage again, in
// another run. The executions that run again are superseded.
func beginRun(ctx context.Context, tx Tx, arn ARN, status, stage model.ImageStatus, from []string, again func(WorkflowExecution) bool, now time.Time) error {
	if err := checkNotActedOn(ctx, tx, arn); err != nil {
		return err
	}
	if err := checkBuildQuota(ctx, tx, arn.Scope()); err != nil {
		return err
	}
	if err := supersede(ctx, tx, arn, again); err != nil {
		return err
	}
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		r.Attributes[attributeRun] = []string{strconv.Itoa(ImageRun(*r) + 1)}
		if r.Attributes[attributeFrom] = from; from == nil {
			delete(r.Attributes, attributeFrom)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return UpdateImage(ctx, tx, arn, []model.ImageStatus{status}, stage, now, func(*model.Image) {})
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
func supersede(ctx context.Context, tx Tx, image ARN, again func(WorkflowExecution) bool) error {
	for after, more := "", true; more; more = after != "" {
		list, next, err := tx.WorkflowExecutions(ctx, image, after, maxImageWorkflows)
		if err != nil {
			return err
		}
		for _, e := range list {
			if !again(e) {
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
