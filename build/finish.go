package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
)

// maxReason is the length of state.reason, in characters. Source: the model's NonEmptyString.
const maxReason = 1024

// conclusion is the input of the last step: how the build went.
type conclusion struct {
	Image     string  `json:"image"`
	OK        bool    `json:"ok"`
	Cancelled bool    `json:"cancelled"`
	Failure   failure `json:"failure"`
	Keep      bool    `json:"keep"` // leave the failed step's instance running
}

// conclude reads the outcome off the error that ended a build.
func conclude(req request, t task, err error) conclusion {
	c := conclusion{Image: req.Image, OK: err == nil, Keep: t.Plan.KeepOnFailure}
	var failed *flow.Error
	switch {
	case err == nil:
	case errors.Is(err, flow.ErrCancelled):
		c.Cancelled = true
	case errors.As(err, &failed) && len(failed.Detail) > 0 && failed.Kind != kindPanicked:
		if json.Unmarshal(failed.Detail, &c.Failure) != nil {
			c.Failure.Reason = failed.Message
		}
	default:
		c.Failure.Reason = err.Error()
	}
	return c
}

// atStage attaches to a failure outside of the workflows where it was.
func atStage(err error, where *model.FailureContext) error {
	if err == nil {
		return nil
	}
	detail, encoding := json.Marshal(failure{Reason: err.Error(), Context: where})
	return errors.Join(&flow.Error{Message: err.Error(), Detail: detail}, encoding)
}

// kindPanicked marks a step that panicked; its Detail is a stack.
const kindPanicked = "panic"

// finish removes what a build must not leave, and gives a failed or cancelled
// image its last status. It runs however the build ended, and tries until it
// has come to its end or the engine closes: then it runs again.
func (b *Builder) finish(ctx context.Context, c conclusion) (any, error) {
	for {
		err := b.tryFinish(ctx, c)
		if err == nil {
			b.slots.give(c.Image)
			return nil, nil
		}
		b.Log.Error("the end of a build could not be recorded; trying again", "image", c.Image, "error", err)
		if sleep(ctx, retryPause) != nil {
			return nil, flow.ErrInterrupted
		}
	}
}

func (b *Builder) tryFinish(ctx context.Context, c conclusion) error {
	arn, err := ingot.ParseARN(c.Image)
	if err != nil {
		return err
	}
	kept := b.keptInstance(c)
	if err := b.removeInstances(ctx, c.Image, kept); err != nil {
		b.Log.Error("a build could not remove its instances; the next start of the server will", "image", c.Image, "error", err)
	}
	status := model.ImageStatusAvailable
	if !c.OK {
		if status, err = b.fail(ctx, arn, c, kept); err != nil {
			return err
		}
	}
	log, err := openLog(b.dir(c.Image), "", b.Now)
	if err != nil {
		return err
	}
	return errors.Join(
		log.write(Line{Time: b.Now(), Level: "Info", Text: summary(c, status), End: string(status)}),
		log.Close())
}

// retryPause is how long a build that could not be finished waits for the next try.
const retryPause = 5 * time.Second

func summary(c conclusion, status model.ImageStatus) string {
	if c.Failure.Reason == "" {
		return fmt.Sprintf("The image is %s", status)
	}
	return fmt.Sprintf("The image is %s: %s", status, c.Failure.Reason)
}

// keptInstance is the instance to leave for a look at the failure, or "".
func (b *Builder) keptInstance(c conclusion) string {
	if c.OK || c.Cancelled || !c.Keep || c.Failure.Workflow == "" || c.Failure.Step == stepCheckBoot {
		return ""
	}
	return instanceID(c.Image, c.Failure.Workflow, c.Failure.Attempt)
}

func (b *Builder) removeInstances(ctx context.Context, image, kept string) error {
	var errs []error
	if kept != "" {
		errs = append(errs, b.keep(image, kept))
	}
	for _, id := range instancesOf(image) {
		if id != kept {
			errs = append(errs, b.destroy(ctx, id))
		}
	}
	return errors.Join(errs...)
}

// fail closes the records of a build that made no image, and removes what it
// made. It returns the status that the image has then: one that became
// AVAILABLE before its cancellation stays so.
func (b *Builder) fail(ctx context.Context, arn ingot.ARN, c conclusion, kept string) (model.ImageStatus, error) {
	status := model.ImageStatusFailed
	if c.Cancelled {
		status = model.ImageStatusCancelled
	}
	record, err := b.Records.Get(ctx, arn)
	deleted := ingot.ErrorCode(err) == ingot.CodeNotFound
	if err != nil && !deleted {
		return "", err
	}
	if !deleted && isOver(record.Status) {
		return model.ImageStatus(record.Status), nil
	}
	// Before the record: whoever sees that the build failed finds nothing of it.
	if err := b.removeOutputs(ctx, arn); err != nil {
		b.Log.Error("a build could not remove its snapshots; the next start of the server will", "image", c.Image, "error", err)
	}
	if deleted {
		return status, nil
	}
	if err := b.Records.Write(ctx, func(tx ingot.Tx) error { return b.failIn(ctx, tx, arn, status, c, kept) }); err != nil {
		return "", fmt.Errorf("making %s %s: %w", arn, status, err)
	}
	return status, nil
}

func (b *Builder) failIn(ctx context.Context, tx ingot.Tx, arn ingot.ARN, status model.ImageStatus, c conclusion, kept string) error {
	for _, workflow := range []string{workflowBuild, workflowTest} {
		if err := b.closeWorkflow(ctx, tx, arn, workflow, c, kept); err != nil {
			return err
		}
	}
	_, err := b.advanceIn(ctx, tx, arn, status, func(image *model.Image) {
		if !c.Cancelled {
			image.State.Reason = shorten(c.Failure.Reason, maxReason)
			image.State.FailureContext = c.Failure.Context
		}
	})
	return err
}

// removeOutputs removes the snapshots of all attempts, and the AMI if its
// registration was the last thing the build did.
func (b *Builder) removeOutputs(ctx context.Context, arn ingot.ARN) error {
	local, err := b.Regions.Region(arn.Region)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range snapshotsOf(arn.String()) {
		err := local.Deregister(ctx, arn.Account, region.AMIID(arn.String(), arn.Region, id))
		if ingot.ErrorCode(err) == ingot.CodeNotFound {
			err = local.Disks.Delete(ctx, id)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// closeWorkflow ends the execution of a workflow that did not come to its own
// end, with the rollback of its launch. Source: workflows.md §5.3, §5.5.
func (b *Builder) closeWorkflow(ctx context.Context, tx ingot.Tx, arn ingot.ARN, workflow string, c conclusion, kept string) error {
	w, err := tx.WorkflowExecution(ctx, executionID(arn.String(), workflow))
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return nil
	}
	if err != nil || w.Status != model.WorkflowExecutionStatusRunning {
		return err
	}
	steps, _, err := tx.StepExecutions(ctx, w.WorkflowExecutionId, "", maxSteps)
	if err != nil {
		return err
	}
	now := timestamp(b.Now())
	rolledBack := false
	for _, s := range steps {
		if s.Status == model.WorkflowStepExecutionStatusPending {
			continue
		}
		if s.Status == model.WorkflowStepExecutionStatusRunning {
			s.Status, s.EndTime = model.WorkflowStepExecutionStatusCancelled, now
		}
		if !c.Cancelled {
			s.RollbackStatus = rollback(s, kept)
			rolledBack = rolledBack || s.RollbackStatus == model.WorkflowStepExecutionRollbackStatusCompleted
		}
		if err := tx.PutStepExecution(ctx, s); err != nil {
			return err
		}
	}
	w.EndTime, w.Message = now, shorten(c.Failure.Reason, maxMessage)
	switch {
	case c.Cancelled:
		w.Status = model.WorkflowExecutionStatusCancelled
	case rolledBack:
		w.Status = model.WorkflowExecutionStatusRollbackCompleted
	default:
		w.Status = model.WorkflowExecutionStatusFailed
	}
	return tx.PutWorkflowExecution(ctx, w)
}

// rollback is what became of a step that was begun: launches are undone.
func rollback(s ingot.StepExecution, kept string) model.WorkflowStepExecutionRollbackStatus {
	if s.Action == "LaunchInstance" && kept == "" {
		return model.WorkflowStepExecutionRollbackStatusCompleted
	}
	return model.WorkflowStepExecutionRollbackStatusSkipped
}

// note adds a line to the log of a build outside of a workflow's steps.
func (b *Builder) note(image, format string, args ...any) {
	log, err := openLog(b.dir(image), "", b.Now)
	if err == nil {
		log.note(format, args...)
		err = log.Close()
	}
	if err != nil {
		b.Log.Error("a line of a build's log was lost", "image", image, "error", err)
	}
}
