package ingot

import (
	"context"
	"time"

	"ingot.dev/ingot/model"
)

// CheckStateUpdate checks the members of a request to change the state of an
// image against each other. Source: api.md §4.4.
func CheckStateUpdate(in *model.StartResourceStateUpdateRequest, now time.Time) error {
	if (in.IncludeResources == nil) != (in.ExecutionRole == "") {
		return Errorf(CodeCombination, "The parameters 'includeResources' and 'executionRole' come together or not at all.")
	}
	deleted := in.State.Status == model.ResourceStatusDeleted
	include := includedBy(in)
	if err := include.checkAction("includeResources", deleted); err != nil {
		return err
	}
	switch {
	case deleted && !include.amis() && !include.containers():
		return Errorf(CodeCombination, "The state DELETED needs 'includeResources' with 'amis' or 'containers'. DeleteImage removes the image resource alone.")
	case in.ExclusionRules != nil && in.ExclusionRules.Amis != nil && !include.amis():
		return Errorf(CodeCombination, "The parameter 'exclusionRules.amis' needs 'includeResources.amis'.")
	}
	return checkUpdateAt(in, now)
}

// includedBy are the outputs that a request names; without any, none.
func includedBy(in *model.StartResourceStateUpdateRequest) includedResources {
	if in.IncludeResources == nil {
		return includedResources{}
	}
	return includedResources(*in.IncludeResources)
}

func checkUpdateAt(in *model.StartResourceStateUpdateRequest, now time.Time) error {
	switch {
	case in.UpdateAt == nil:
	case in.State.Status != model.ResourceStatusDeprecated:
		return InvalidField("updateAt", "Only the state DEPRECATED can be set for a later time.")
	case !in.UpdateAt.Time().After(now):
		return InvalidField("updateAt", "The time %s has passed. Give one in the future.", model.DateTime(in.UpdateAt.Time()))
	}
	return nil
}

// UpdateImageState begins to give an image the state that a checked request
// asks for, and returns the id of the lifecycle execution that does. One that
// neither waits nor reaches beyond the image resource is over at once.
// Source: api.md §4.4.
func UpdateImageState(ctx context.Context, tx Tx, arn ARN, in *model.StartResourceStateUpdateRequest, now time.Time) (id string, err error) {
	record, err := tx.Get(ctx, arn)
	if err != nil {
		return "", err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return "", err
	}
	if err := checkStateOfImage(image, in); err != nil {
		return "", err
	}
	if in.ExecutionRole != "" {
		if err := CheckRole(ctx, tx, arn.Account, "executionRole", in.ExecutionRole); err != nil {
			return "", err
		}
	}
	if err := checkNotActedOn(ctx, tx, arn); err != nil {
		return "", err
	}
	if includedBy(in).containers() {
		return "", Errorf(CodeNotImplemented, "This server does not delete container images yet. DeleteImage removes the image resource alone.")
	}
	e := NewLifecycleExecution(arn.Scope(), model.LifecycleExecutionStatusInProgress, now)
	action := stateAction(in)
	impacted := action.reaches() && countOutputs(image) > 0
	e.Actions = map[model.LifecycleExecutionResourceActionName]LifecycleAction{stateActions[in.State.Status]: action}
	e.ResourcesImpactedSummary = &model.LifecycleExecutionResourcesImpactedSummary{HasImpactedResources: &impacted}
	if in.UpdateAt != nil {
		return e.LifecycleExecutionId, deferStateUpdate(ctx, tx, arn, e, *in.UpdateAt, now)
	}
	if action.reaches() {
		if err := checkUpdateQuota(ctx, tx, arn.Scope()); err != nil {
			return "", err
		}
		return e.LifecycleExecutionId, beginStateUpdate(ctx, tx, arn, e, in.State.Status, now)
	}
	row, err := putStateUpdate(ctx, tx, arn, e, in.State.Status)
	if err != nil {
		return "", err
	}
	row.StartTime = e.StartTime
	if err := CloseLifecycleImage(ctx, tx, e.LifecycleExecutionId, row, nil, now); err != nil {
		return "", err
	}
	return e.LifecycleExecutionId, EndLifecycle(ctx, tx, e.LifecycleExecutionId, now)
}

// stateAction is what a request includes and excludes.
func stateAction(in *model.StartResourceStateUpdateRequest) LifecycleAction {
	a := includedBy(in).action()
	if in.ExclusionRules != nil {
		a.Excluded = in.ExclusionRules.Amis
	}
	return a
}

// putStateUpdate stores an execution with its one image.
func putStateUpdate(ctx context.Context, tx Tx, arn ARN, e LifecycleExecution, to model.ResourceStatus) (LifecycleResource, error) {
	row := newLifecycleResource(arn, stateActions[to], "")
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return row, err
	}
	return row, tx.PutLifecycleResource(ctx, e.LifecycleExecutionId, row)
}

// beginStateUpdate leaves an execution to whoever carries out what is due.
func beginStateUpdate(ctx context.Context, tx Tx, arn ARN, e LifecycleExecution, to model.ResourceStatus, now time.Time) error {
	if _, err := putStateUpdate(ctx, tx, arn, e, to); err != nil {
		return err
	}
	return tx.PutLifecycleDue(ctx, LifecycleDue{Subject: e.LifecycleExecutionId, At: now})
}

// deferStateUpdate lets an image be deprecated at a time to come, of which it
// tells from now on. An execution that waits does not hold the image.
func deferStateUpdate(ctx context.Context, tx Tx, arn ARN, e LifecycleExecution, at model.Epoch, now time.Time) error {
	at = model.EpochOf(at.Time()) // as it will be read again
	e.State.Status, e.Deprecates = model.LifecycleExecutionStatusPending, &at
	if _, err := putStateUpdate(ctx, tx, arn, e, model.ResourceStatusDeprecated); err != nil {
		return err
	}
	_, err := tx.Update(ctx, arn, nil, func(r *Record) error {
		image, err := Decode[model.Image](*r)
		if err != nil {
			return err
		}
		image.DeprecationTime, r.Updated = &at, now
		return putImage(r, image)
	})
	if err != nil {
		return err
	}
	return tx.PutLifecycleDue(ctx, LifecycleDue{Subject: e.LifecycleExecutionId, At: at.Time()})
}

// checkStateOfImage says whether an image can get the state that a request
// asks for, for itself and for what the request includes.
func checkStateOfImage(image *model.Image, in *model.StartResourceStateUpdateRequest) error {
	deleted := in.State.Status == model.ResourceStatusDeleted
	containers := image.Type == model.ImageTypeDocker
	if containers && !deleted {
		return InvalidField("state.status", "A container image can only become DELETED.")
	}
	if err := includedBy(in).check("includeResources", containers, deleted); err != nil {
		return err
	}
	switch status := image.State.Status; {
	case IsImagePending(status):
		return Errorf(CodeInUse, "The image '%s' is %s. Wait until it has been made.", image.Arn, status)
	case status == model.ImageStatusDeleted:
		return Errorf(CodeRequest, "The image '%s' is being deleted.", image.Arn)
	case in.UpdateAt != nil && status != model.ImageStatusAvailable:
		return Errorf(CodeRequest, "The image '%s' is %s. Only one that is AVAILABLE can be deprecated at a later time.", image.Arn, status)
	case !deleted && (status == model.ImageStatusFailed || status == model.ImageStatusCancelled):
		return Errorf(CodeRequest, "The image '%s' is %s and can only become DELETED.", image.Arn, status)
	}
	return nil
}

// checkNotActedOn is CodeInUse while a lifecycle execution acts on an image.
func checkNotActedOn(ctx context.Context, r LifecycleReader, image ARN) error {
	id, err := r.ActiveLifecycle(ctx, image)
	if err != nil {
		return err
	}
	if id != "" {
		return Errorf(CodeInUse, "The lifecycle execution '%s' is acting on the image '%s'. Wait until it has ended.", id, image)
	}
	return nil
}

// setImageState moves an image resource to a state on behalf of an execution.
// In the state already, it stays as it is.
func setImageState(ctx context.Context, tx Tx, arn ARN, from, to model.ImageStatus, execution string, since, now time.Time) error {
	if from == to {
		return nil
	}
	return UpdateImage(ctx, tx, arn, []model.ImageStatus{from}, to, now, func(image *model.Image) {
		image.LifecycleExecutionId = execution
		switch to {
		case model.ImageStatusDeprecated:
			image.DeprecationTime = new(model.EpochOf(since))
		case model.ImageStatusAvailable:
			image.DeprecationTime = nil
		}
	})
}

// stateActions are the actions that lead to a state.
var stateActions = map[model.ResourceStatus]model.LifecycleExecutionResourceActionName{
	model.ResourceStatusAvailable:  model.LifecycleExecutionResourceActionNameAvailable,
	model.ResourceStatusDeprecated: model.LifecycleExecutionResourceActionNameDeprecate,
	model.ResourceStatusDisabled:   model.LifecycleExecutionResourceActionNameDisable,
	model.ResourceStatusDeleted:    model.LifecycleExecutionResourceActionNameDelete,
}
