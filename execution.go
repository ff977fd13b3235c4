package ingot

import (
	"context"

	"ingot.dev/ingot/model"
)

// WorkflowExecution is one run of a workflow for an image.
type WorkflowExecution struct {
	model.GetWorkflowExecutionResponse
	Retried bool `json:"retried,omitempty"` // RetryImage made another one in its place
	Attempt int  `json:"attempt,omitempty"` // from 1; one more each time its instances were lost
}

// StepExecution is one step of a workflow execution.
type StepExecution struct {
	model.GetWorkflowStepExecutionResponse
	Order         int       `json:"order"`                   // position in the execution, from 0
	AttemptNumber *int      `json:"attemptNumber,omitempty"` // from 1
	MaxAttempts   *int      `json:"maxAttempts,omitempty"`
	Wait          *StepWait `json:"wait,omitempty"` // of the action WaitForAction
}

// StepWait is the wait of a step for somebody's action.
type StepWait struct {
	Signal string      `json:"signal"`           // that the build waits for
	Answer *StepAnswer `json:"answer,omitempty"` // nil: none yet
	Over   bool        `json:"over,omitempty"`   // no answer is taken any more
}

// StepAnswer is what SendWorkflowStepAction said.
type StepAnswer struct {
	Action model.WorkflowStepActionType `json:"action"`
	Reason string                       `json:"reason,omitempty"`
}

// IsWaiting reports whether the step can be answered.
func (s StepExecution) IsWaiting() bool {
	return s.Wait != nil && s.Wait.Answer == nil && !s.Wait.Over && s.Status == model.WorkflowStepExecutionStatusRunning
}

// AnswerStep records an answer to a step of an image that waits for one. The
// build is told after the transaction. Source: api.md §3.10.
func AnswerStep(ctx context.Context, tx Tx, id, image string, answer StepAnswer) (StepExecution, error) {
	s, err := tx.StepExecution(ctx, id)
	if err != nil {
		return s, err
	}
	if s.ImageBuildVersionArn != image {
		return s, InvalidField("imageBuildVersionArn", "The step '%s' belongs to another image, '%s'.", id, s.ImageBuildVersionArn)
	}
	if !s.IsWaiting() {
		return s, Errorf(CodeRequest, "The step '%s' is %s and does not wait for an action.", id, s.Status)
	}
	s.Wait.Answer = &answer
	return s, tx.PutStepExecution(ctx, s)
}

// ImagePackage is a package found in an image.
type ImagePackage = model.ImagePackage

// ExecutionReader reads what the builds of images left behind. Lists take the
// key of the last page's end, empty at first, and return the next one, empty
// at the end.
type ExecutionReader interface {
	// WorkflowExecution is CodeNotFound for an unknown id.
	WorkflowExecution(ctx context.Context, id string) (WorkflowExecution, error)
	// WorkflowExecutions of an image build, newest first.
	WorkflowExecutions(ctx context.Context, image ARN, after string, limit int) (list []WorkflowExecution, next string, err error)
	// StepExecution is CodeNotFound for an unknown id.
	StepExecution(ctx context.Context, id string) (StepExecution, error)
	// StepExecutions of a workflow execution, in order.
	StepExecutions(ctx context.Context, execution string, after string, limit int) (list []StepExecution, next string, err error)
	// WaitingSteps of a namespace, by id.
	WaitingSteps(ctx context.Context, scope Scope, after string, limit int) (list []StepExecution, next string, err error)
	// ImagePackages of an image build, by name.
	ImagePackages(ctx context.Context, image ARN, after string, limit int) (list []ImagePackage, next string, err error)
}

// ExecutionWriter saves what builds do. Putting the same id again replaces it.
// Deleting an image deletes all of it.
type ExecutionWriter interface {
	PutWorkflowExecution(ctx context.Context, e WorkflowExecution) error
	PutStepExecution(ctx context.Context, s StepExecution) error
	PutImagePackages(ctx context.Context, image ARN, packages []ImagePackage) error
}
