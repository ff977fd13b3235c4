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
)

// maxReason is the length of state.reason, in characters. Source: the model's NonEmptyString.
const maxReason = 1024

// conclusion is the input of the last step: how the build went.
type conclusion struct {
	Image     string    `json:"image"`
	Run       int       `json:"run"`   // of the image
	Asked     time.Time `json:"asked"` // when it was asked for; zero: it was never placed
	OK        bool      `json:"ok"`
	Cancelled bool      `json:"cancelled"`
	Built     bool      `json:"built"` // the BUILD stage is over: what it made stays
	Failure   failure   `json:"failure"`
	Keep      bool      `json:"keep"` // leave the failed workflow's instances running
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
			b.attendance.forget(c.Image)
			b.statuses.forget(c.Image)
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
	if err := b.removeInstances(ctx, c); err != nil {
		b.Log.Error("a build could not remove its instances; the next start of the server will", "image", c.Image, "error", err)
	}
	status := model.ImageStatusAvailable
	if !c.OK {
		if status, err = b.fail(ctx, arn, c); err != nil {
			return err
		}
	}
	b.nameLog(ctx, c.Image) // of a build that was not placed
	log, err := openLog(b.dir(c.Image), "", b.Now)
	if err != nil {
		return err
	}
	b.noteUnsent(c.Image, log)
	err = errors.Join(
		log.write(Line{Time: b.Now(), Level: "Info", Text: summary(c, status), End: string(status)}),
		log.Close())
	if err == nil {
		b.observeEnd(ctx, arn, c, status)
	}
	return err
}

// retryPause is how long a build that could not be finished waits for the next try.
const retryPause = 5 * time.Second

func summary(c conclusion, status model.ImageStatus) string {
	if c.Failure.Reason == "" {
		return fmt.Sprintf("The image is %s", status)
	}
	return fmt.Sprintf("The image is %s: %s", status, c.Failure.Reason)
}

// removeInstances terminates what still runs, except the instances of a failed
// workflow that are kept for a look at the failure.
func (b *Builder) removeInstances(ctx context.Context, c conclusion) error {
	keeps := func(p product) bool {
		return !c.OK && !c.Cancelled && c.Keep && p.Execution == c.Failure.Execution && p.Kind != ""
	}
	list, err := b.products(c.Image, isInstance)
	if err != nil {
		return err
	}
	var kept []string
	for _, p := range list {
		if keeps(p) && !p.Ended {
			kept = append(kept, p.ID)
		}
	}
	if len(kept) > 0 {
		err = b.keep(c.Image, kept)
	}
	return errors.Join(err, b.discard(ctx, c.Image, func(p product) bool { return p.is(isInstance) && !p.Ended && !keeps(p) }))
}

// fail closes the records of a build that made no image. It returns the status
// that the image has then: one that became AVAILABLE before its cancellation
// stays so.
func (b *Builder) fail(ctx context.Context, arn ingot.ARN, c conclusion) (model.ImageStatus, error) {
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
	if !c.Built { // nothing can go on from what it made
		// Before the record: whoever sees that the build failed finds nothing of it.
		if err := b.discard(ctx, c.Image, func(p product) bool { return !p.is(isInstance) }); err != nil {
			b.Log.Error("a build could not remove its snapshots; the next start of the server will", "image", c.Image, "error", err)
		}
	}
	if deleted {
		return status, nil
	}
	if err := b.Records.Write(ctx, func(tx ingot.Tx) error { return b.failIn(ctx, tx, arn, status, c) }); err != nil {
		return "", fmt.Errorf("making %s %s: %w", arn, status, err)
	}
	return status, nil
}

func (b *Builder) failIn(ctx context.Context, tx ingot.Tx, arn ingot.ARN, status model.ImageStatus, c conclusion) error {
	list, err := executions(ctx, tx, arn)
	if err != nil {
		return err
	}
	for _, e := range list {
		if isRunning(e) {
			if err := b.cancelWorkflow(ctx, tx, e, c); err != nil {
				return err
			}
		}
	}
	_, err = b.advanceIn(ctx, tx, arn, status, func(image *model.Image) {
		if !c.Cancelled {
			image.State.Reason = shorten(c.Failure.Reason, maxReason)
			image.State.FailureContext = c.Failure.Context
		}
	})
	return err
}

// cancelWorkflow ends the execution of a workflow that did not come to its own
// end, because of a cancellation or of another workflow. Source: workflows.md §5.5.
func (b *Builder) cancelWorkflow(ctx context.Context, tx ingot.Tx, e ingot.WorkflowExecution, c conclusion) error {
	steps, _, err := tx.StepExecutions(ctx, e.WorkflowExecutionId, "", maxSteps)
	if err != nil {
		return err
	}
	now := timestamp(b.Now())
	for _, s := range steps {
		if s.Status != model.WorkflowStepExecutionStatusRunning {
			continue
		}
		s.Status, s.EndTime = model.WorkflowStepExecutionStatusCancelled, now
		if err := tx.PutStepExecution(ctx, s); err != nil {
			return err
		}
	}
	e.Status, e.EndTime, e.Message = model.WorkflowExecutionStatusCancelled, now, shorten(c.Failure.Reason, maxMessage)
	return tx.PutWorkflowExecution(ctx, e)
}
