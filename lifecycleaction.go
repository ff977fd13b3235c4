package ingot

import (
	"context"
	"fmt"
	"time"

	"ingot.dev/ingot/model"
)

// lifecycleStates are the states that actions lead to.
var lifecycleStates = map[model.LifecycleExecutionResourceActionName]model.ImageStatus{
	model.LifecycleExecutionResourceActionNameAvailable: model.ImageStatusAvailable,
	model.LifecycleExecutionResourceActionNameDeprecate: model.ImageStatusDeprecated,
	model.LifecycleExecutionResourceActionNameDisable:   model.ImageStatusDisabled,
	model.LifecycleExecutionResourceActionNameDelete:    model.ImageStatusDeleted,
}

// SparesImage says why an execution leaves an image alone that has changed
// since it was selected, or nothing. Source: lifecycle.md §4.
func (e LifecycleExecution) SparesImage(image *model.Image, action model.LifecycleExecutionResourceActionName) string {
	is, to := image.State.Status, lifecycleStates[action]
	switch {
	case is == to:
		return ""
	case e.Deprecates != nil && (is != model.ImageStatusAvailable || image.DeprecationTime == nil || *image.DeprecationTime != *e.Deprecates):
		return "its state, or the time of its deprecation, was changed meanwhile"
	case e.LifecyclePolicyArn != "" && !mayBecome(model.LifecyclePolicyDetailActionType(action), is), !ImageMayBecome(is, to):
		return fmt.Sprintf("it is %s now", is)
	}
	return ""
}

// CloseLifecycleImage gives an image of an execution the state that its action
// leads to, unless something is in the way, and says in its row how that went.
// Its outputs have been dealt with. Source: lifecycle.md §2.3, §3.
func CloseLifecycleImage(ctx context.Context, tx Tx, execution string, row LifecycleResource, outputs []LifecycleResource, now time.Time) error {
	e, err := tx.LifecycleExecution(ctx, execution)
	if err != nil {
		return err
	}
	arn, err := ParseARN(row.ResourceId)
	if err != nil {
		return err
	}
	state := JudgeOutputs(row.Action.Name, outputs)
	if state.Status == model.LifecycleExecutionResourceStatusInProgress {
		state, err = e.moveImage(ctx, tx, arn, row.Action.Name, outputs, now)
	} else {
		err = e.noteOutputs(ctx, tx, arn, row.Action.Name, outputs, now)
	}
	if err != nil {
		return err
	}
	if state.Status == model.LifecycleExecutionResourceStatusFailed {
		return FailLifecycleImage(ctx, tx, execution, row, state.Reason, now)
	}
	row.End(state.Status, state.Reason, now)
	return tx.PutLifecycleResource(ctx, execution, row)
}

// FailLifecycleImage says in the row of an image, and in its execution, that
// the action could not be carried out.
func FailLifecycleImage(ctx context.Context, tx Tx, execution string, row LifecycleResource, reason string, now time.Time) error {
	e, err := tx.LifecycleExecution(ctx, execution)
	if err != nil {
		return err
	}
	e.Failed = true
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return err
	}
	row.End(model.LifecycleExecutionResourceStatusFailed, reason, now)
	return tx.PutLifecycleResource(ctx, execution, row)
}

// End notes how it went with a resource.
func (r *LifecycleResource) End(status model.LifecycleExecutionResourceStatus, reason string, now time.Time) {
	r.State = &model.LifecycleExecutionResourceState{Status: status, Reason: reason}
	r.EndTime = new(model.EpochOf(now))
}

// JudgeOutputs says what the outputs of an image mean for the image itself,
// which is IN_PROGRESS if nothing is in its way. An AMI that is excluded from
// deletion keeps the record that names it. Source: lifecycle.md §2.3.
func JudgeOutputs(action model.LifecycleExecutionResourceActionName, outputs []LifecycleResource) *model.LifecycleExecutionResourceState {
	state := &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusInProgress}
	excluded := 0
	for _, o := range outputs {
		if o.State.Status == model.LifecycleExecutionResourceStatusFailed {
			state.Status, state.Reason = o.State.Status, fmt.Sprintf("%s in %s: %s", o.ResourceId, o.Region, o.State.Reason)
			return state
		}
		if o.Excluded {
			excluded++
		}
	}
	if excluded > 0 && action == model.LifecycleExecutionResourceActionNameDelete {
		state.Status, state.Reason = model.LifecycleExecutionResourceStatusSkipped, fmt.Sprintf("%d of its AMIs are excluded", excluded)
	}
	return state
}

// moveImage gives an image the state that an action leads to, or says why not.
// What is gone, or has the state, is as it should be.
func (e LifecycleExecution) moveImage(ctx context.Context, tx Tx, arn ARN, action model.LifecycleExecutionResourceActionName, outputs []LifecycleResource, now time.Time) (*model.LifecycleExecutionResourceState, error) {
	done := &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusSuccess}
	record, err := tx.Get(ctx, arn)
	if ErrorCode(err) == CodeNotFound {
		return done, nil
	}
	if err != nil {
		return nil, err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return nil, err
	}
	if reason := e.SparesImage(image, action); reason != "" {
		return &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusSkipped, Reason: reason}, nil
	}
	since := now
	if e.Deprecates != nil {
		since = e.Deprecates.Time()
	}
	to := lifecycleStates[action]
	if err := e.noteOutputs(ctx, tx, arn, action, outputs, now); err != nil {
		return nil, err
	}
	if err := setImageState(ctx, tx, arn, image.State.Status, to, e.LifecycleExecutionId, since, now); err != nil {
		return nil, err
	}
	if to == model.ImageStatusDeleted {
		return done, tx.Delete(ctx, arn)
	}
	return done, nil
}

// noteOutputs notes the states of the outputs that an action has reached, and
// that it has, in the record of their image.
func (e LifecycleExecution) noteOutputs(ctx context.Context, tx Tx, arn ARN, action model.LifecycleExecutionResourceActionName, outputs []LifecycleResource, now time.Time) error {
	reached := map[string]bool{}
	for _, o := range outputs {
		if o.State.Status == model.LifecycleExecutionResourceStatusSuccess {
			reached[o.Region+" "+o.ResourceId] = true
		}
	}
	if len(reached) == 0 {
		return nil
	}
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		image, err := Decode[model.Image](*r)
		if err != nil {
			return err
		}
		image.LifecycleExecutionId, r.Updated = e.LifecycleExecutionId, now
		for i, a := range image.OutputResources.Amis {
			if reached[a.Region+" "+a.Image] {
				image.OutputResources.Amis[i].State = &model.ImageState{Status: lifecycleStates[action]}
			}
		}
		return putImage(r, image)
	})
	if ErrorCode(err) == CodeNotFound {
		return nil
	}
	return err
}

// SkipLifecycleImage leaves an image of an execution alone.
func SkipLifecycleImage(ctx context.Context, tx Tx, e LifecycleExecution, row LifecycleResource, reason string, now time.Time) error {
	if e.Deprecates != nil {
		if err := undoDeferral(ctx, tx, row, *e.Deprecates, now); err != nil {
			return err
		}
	}
	row.End(model.LifecycleExecutionResourceStatusSkipped, reason, now)
	return tx.PutLifecycleResource(ctx, e.LifecycleExecutionId, row)
}

// undoDeferral takes the time from an image at which it is not deprecated after
// all, if it still has it.
func undoDeferral(ctx context.Context, tx Tx, row LifecycleResource, at model.Epoch, now time.Time) error {
	arn, err := ParseARN(row.ResourceId)
	if err != nil {
		return err
	}
	_, err = tx.Update(ctx, arn, nil, func(r *Record) error {
		image, err := Decode[model.Image](*r)
		if err != nil {
			return err
		}
		if r.Status == string(model.ImageStatusAvailable) && image.DeprecationTime != nil && *image.DeprecationTime == at {
			image.DeprecationTime, r.Updated = nil, now
		}
		return putImage(r, image)
	})
	if ErrorCode(err) == CodeNotFound {
		return nil
	}
	return err
}

// EndLifecycle ends an execution that has dealt with its images.
func EndLifecycle(ctx context.Context, tx Tx, id string, now time.Time) error {
	e, err := tx.LifecycleExecution(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case e.State.Status == model.LifecycleExecutionStatusCancelling:
		e.State.Status = model.LifecycleExecutionStatusCancelled
	case e.Failed:
		e.State = &model.LifecycleExecutionState{Status: model.LifecycleExecutionStatusFailed, Reason: "At least one resource could not be dealt with; its row has the reason."}
	default:
		e.State.Status = model.LifecycleExecutionStatusSuccess
	}
	e.EndTime = new(model.EpochOf(now))
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return err
	}
	return tx.DeleteLifecycleDue(ctx, id)
}

// PauseLifecycle keeps an execution that is acting from going on before its
// policy is due again. Source: lifecycle.md §2.1.
func PauseLifecycle(ctx context.Context, tx Tx, id, reason string) error {
	e, err := tx.LifecycleExecution(ctx, id)
	if err != nil || e.State.Status != model.LifecycleExecutionStatusInProgress {
		return err
	}
	e.State = &model.LifecycleExecutionState{Status: model.LifecycleExecutionStatusPending, Reason: reason}
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return err
	}
	return tx.DeleteLifecycleDue(ctx, id)
}

// ResumeLifecycle lets an execution go on that was paused, or waited for its time.
func ResumeLifecycle(ctx context.Context, tx Tx, id string, now time.Time) error {
	e, err := tx.LifecycleExecution(ctx, id)
	if err != nil || e.State.Status != model.LifecycleExecutionStatusPending {
		return err
	}
	e.State = &model.LifecycleExecutionState{Status: model.LifecycleExecutionStatusInProgress}
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return err
	}
	return tx.PutLifecycleDue(ctx, LifecycleDue{Subject: id, At: now})
}
