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
	Order         int  `json:"order"`                   // position in the execution, from 0
	AttemptNumber *int `json:"attemptNumber,omitempty"` // from 1
	MaxAttempts   *int `json:"maxAttempts,omitempty"`
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
