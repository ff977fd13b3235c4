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

// UpdateImageState gives an image the state that a checked request asks for,
// and returns the id of the lifecycle execution that records it. What goes
// beyond the image resource is CodeNotImplemented. Source: api.md §4.4.
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
	if err := checkNotActedOn(ctx, tx, arn); err != nil {
		return "", err
	}
	if includedBy(in).any() {
		return "", Errorf(CodeNotImplemented, "This server does not change the state of AMIs and container images yet. Leave out 'includeResources' and 'executionRole' to change that of the image resource.")
	}
	if in.UpdateAt != nil {
		return "", Errorf(CodeNotImplemented, "This server does not change states at a later time yet. Leave out 'updateAt' and send the request then.")
	}
	e := NewLifecycleExecution(arn.Scope(), model.LifecycleExecutionStatusSuccess, now)
	if err := setImageState(ctx, tx, arn, image.State.Status, model.ImageStatus(in.State.Status), e.LifecycleExecutionId, now); err != nil {
		return "", err
	}
	return e.LifecycleExecutionId, recordStateUpdate(ctx, tx, arn, e, in.State.Status)
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
func setImageState(ctx context.Context, tx Tx, arn ARN, from, to model.ImageStatus, execution string, now time.Time) error {
	if from == to {
		return nil
	}
	return UpdateImage(ctx, tx, arn, []model.ImageStatus{from}, to, now, func(image *model.Image) {
		image.LifecycleExecutionId = execution
		switch to {
		case model.ImageStatusDeprecated:
			image.DeprecationTime = new(model.EpochOf(now))
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

// recordStateUpdate saves an execution that has updated the state of one image
// resource and no outputs of it.
func recordStateUpdate(ctx context.Context, tx LifecycleWriter, arn ARN, e LifecycleExecution, to model.ResourceStatus) error {
	e.EndTime = e.StartTime
	e.ResourcesImpactedSummary = &model.LifecycleExecutionResourcesImpactedSummary{HasImpactedResources: new(false)}
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return err
	}
	return tx.PutLifecycleResource(ctx, e.LifecycleExecutionId, LifecycleResource{
		LifecycleExecutionResource: model.LifecycleExecutionResource{
			AccountId: arn.Account, ResourceId: arn.String(), Region: arn.Region,
			Action:    &model.LifecycleExecutionResourceAction{Name: stateActions[to]},
			State:     &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusSuccess},
			StartTime: e.StartTime, EndTime: e.EndTime,
		},
	})
}
