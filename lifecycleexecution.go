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
	// Actions are what its rules, or who asked for it, said at the start.
	Actions map[model.LifecycleExecutionResourceActionName]LifecycleAction `json:"actions,omitempty"`
	// Deprecates is when it deprecates its image; nil: it does not wait.
	Deprecates *model.Epoch `json:"deprecates,omitempty"`
	Failed     bool         `json:"failed,omitempty"` // one of its resources has
}

// LifecycleAction is how an action extends to the outputs of an image.
type LifecycleAction struct {
	AMIs       bool                                           `json:"amis,omitempty"`
	Snapshots  bool                                           `json:"snapshots,omitempty"`
	Containers bool                                           `json:"containers,omitempty"`
	Excluded   *model.LifecyclePolicyDetailExclusionRulesAmis `json:"excluded,omitempty"`
}

// LifecycleDue is when a policy runs, or an execution goes on.
type LifecycleDue struct {
	Subject string    // ARN of the policy, or id of the execution
	At      time.Time // zero: of a policy whose time is to be worked out
}

// LifecycleResource is what an execution did to an image, or to one output of
// it: an AMI or a container image.
type LifecycleResource struct {
	model.LifecycleExecutionResource
	Parent   string `json:"parent,omitempty"`   // ARN of the image build, for an output
	Excluded bool   `json:"excluded,omitempty"` // a rule spares the AMI
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

// LifecycleQueue reads what lifecycle executions have to do.
type LifecycleQueue interface {
	// LifecycleDues lists what is due next, earliest first.
	LifecycleDues(ctx context.Context, limit int) ([]LifecycleDue, error)
	// OpenLifecycle returns the id of the execution of a policy that has not
	// ended, or nothing.
	OpenLifecycle(ctx context.Context, policy ARN) (id string, err error)
	// OpenLifecycleImages are up to limit images of an execution that are
	// IN_PROGRESS, in the order of their ARNs.
	OpenLifecycleImages(ctx context.Context, execution string, limit int) ([]LifecycleResource, error)
	// CountStateUpdates counts, up to a limit, the executions of no policy in a
	// namespace that are acting.
	CountStateUpdates(ctx context.Context, scope Scope, limit int) (int, error)
}

// LifecycleWriter saves what lifecycle executions do. Putting the same
// execution, or the same resource of one, again replaces it.
type LifecycleWriter interface {
	PutLifecycleExecution(ctx context.Context, e LifecycleExecution) error
	// PutLifecycleResource saves a resource of an execution that is there.
	PutLifecycleResource(ctx context.Context, execution string, r LifecycleResource) error
	PutLifecycleDue(ctx context.Context, d LifecycleDue) error
	// DeleteLifecycleDue is no error for what is not due.
	DeleteLifecycleDue(ctx context.Context, subject string) error
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
func CancelLifecycleExecution(ctx context.Context, tx Tx, scope Scope, id string, now time.Time) error {
	e, err := FindLifecycleExecution(ctx, tx, scope, id)
	if err != nil {
		return err
	}
	switch e.State.Status {
	case model.LifecycleExecutionStatusInProgress, model.LifecycleExecutionStatusPending:
	default:
		return Errorf(CodeRequest, "The lifecycle execution '%s' is %s. Only one that is IN_PROGRESS or PENDING can be cancelled.", id, e.State.Status)
	}
	return stopLifecycle(ctx, tx, e, "", now)
}

// stopLifecycle lets an execution that has not ended be cancelled, which
// whoever carries it out does.
func stopLifecycle(ctx context.Context, tx Tx, e LifecycleExecution, reason string, now time.Time) error {
	e.State = &model.LifecycleExecutionState{Status: model.LifecycleExecutionStatusCancelling, Reason: reason}
	if err := tx.PutLifecycleExecution(ctx, e); err != nil {
		return err
	}
	return tx.PutLifecycleDue(ctx, LifecycleDue{Subject: e.LifecycleExecutionId, At: now})
}
