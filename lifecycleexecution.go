package ingot

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ingot.dev/ingot/model"
)

// LifecycleExecution is one run of a lifecycle policy, or one update of the
// state of an image by hand, which names no policy. StartTime is set.
type LifecycleExecution struct {
	model.LifecycleExecution
	Scope Scope `json:"scope"`
}

// LifecycleResource is what an execution did to an image, or to one output of
// it: an AMI or a container image.
type LifecycleResource struct {
	model.LifecycleExecutionResource
	Parent string `json:"parent,omitempty"` // ARN of the image build, for an output
}

// LifecycleReader reads what lifecycle executions did. Executions outlive the
// policies and images that they are of. Lists page like those of
// [ExecutionReader].
type LifecycleReader interface {
	// LifecycleExecution is CodeNotFound for an unknown id.
	LifecycleExecution(ctx context.Context, id string) (LifecycleExecution, error)
	// LifecycleExecutions of a policy, or those that have an image build among
	// their resources, newest first.
	LifecycleExecutions(ctx context.Context, of ARN, after string, limit int) (list []LifecycleExecution, next string, err error)
	// LifecycleResources are the images of an execution, or with a parent the
	// outputs of that image. Images are in the order of their ARNs, outputs in
	// that of region, account and id.
	LifecycleResources(ctx context.Context, execution string, parent ARN, after string, limit int) (list []LifecycleResource, next string, err error)
	// ActiveLifecycle returns the id of an execution as in LifecycleExecutions
	// that is acting (IN_PROGRESS or CANCELLING), or nothing.
	ActiveLifecycle(ctx context.Context, of ARN) (id string, err error)
}

// LifecycleWriter saves what lifecycle executions do. Putting the same
// execution, or the same resource of one, again replaces it.
type LifecycleWriter interface {
	PutLifecycleExecution(ctx context.Context, e LifecycleExecution) error
	// PutLifecycleResource saves a resource of an execution that is there.
	PutLifecycleResource(ctx context.Context, execution string, r LifecycleResource) error
}

// NewLifecycleExecution is an execution that starts now.
func NewLifecycleExecution(scope Scope, status model.LifecycleExecutionStatus, now time.Time) LifecycleExecution {
	return LifecycleExecution{Scope: scope, LifecycleExecution: model.LifecycleExecution{
		LifecycleExecutionId: "lce-" + uuid.NewString(),
		State:                &model.LifecycleExecutionState{Status: status},
		StartTime:            new(model.EpochOf(now)),
	}}
}

// FindLifecycleExecution returns an execution of the scope.
func FindLifecycleExecution(ctx context.Context, r LifecycleReader, scope Scope, id string) (LifecycleExecution, error) {
	e, err := r.LifecycleExecution(ctx, id)
	if err == nil && e.Scope != scope {
		err = Errorf(CodeNotFound, "The lifecycle execution '%s' does not exist.", id)
	}
	return e, err
}

// CancelLifecycleExecution asks an execution to stop. What it has done stays.
// Source: api.md §3.11.
func CancelLifecycleExecution(ctx context.Context, tx Tx, scope Scope, id string) error {
	e, err := FindLifecycleExecution(ctx, tx, scope, id)
	if err != nil {
		return err
	}
	switch e.State.Status {
	case model.LifecycleExecutionStatusInProgress, model.LifecycleExecutionStatusPending:
	default:
		return Errorf(CodeRequest, "The lifecycle execution '%s' is %s. Only one that is IN_PROGRESS or PENDING can be cancelled.", id, e.State.Status)
	}
	e.State = &model.LifecycleExecutionState{Status: model.LifecycleExecutionStatusCancelling}
	return tx.PutLifecycleExecution(ctx, e)
}
