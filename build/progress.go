package build

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// What the API shows of a running build: a workflow execution per stage and a
// step execution per step. Source: workflows.md §8, §10.

// maxSteps bounds a page that holds all steps of an execution; a managed
// workflow has ten at most.
const maxSteps = 25

// maxMessage is the length of a step's message in characters. Source: workflows.md §5.1.
const maxMessage = 500

func timestamp(t time.Time) string { return model.DateTime(t) }

// workflowARN names the managed workflow that a stage runs. Source: workflows.md §8.
func workflowARN(image ingot.ARN, workflow string) string {
	return ingot.ARN{
		Partition: image.Partition, Region: image.Region, Account: ingot.ManagedAccount, Kind: ingot.KindWorkflow,
		WorkflowType: workflow, Name: workflow + "-image", Version: ingot.NewVersion(1, 0, 0), Build: 1,
	}.String()
}

// progress writes the records of one step.
type progress struct {
	b     *Builder
	image ingot.ARN
	spec  step
}

func (p progress) execution() string { return executionID(p.image.String(), p.spec.workflow) }
func (p progress) id() string        { return stepID(p.image.String(), p.spec.workflow, p.spec.name) }

// begin shows the step as running. The first step of a workflow makes the
// workflow's records and moves the image to its stage.
func (p progress) begin(ctx context.Context, attempt int) error {
	err := p.b.Records.Write(ctx, func(tx ingot.Tx) error {
		if err := p.open(ctx, tx); err != nil {
			return err
		}
		s, err := tx.StepExecution(ctx, p.id())
		if err != nil {
			return err
		}
		if s.Status != model.WorkflowStepExecutionStatusRunning || *s.AttemptNumber != attempt {
			s.StartTime = timestamp(p.b.Now())
		}
		s.Status, s.EndTime, s.Message, s.Outputs = model.WorkflowStepExecutionStatusRunning, "", "", ""
		s.AttemptNumber = &attempt
		return tx.PutStepExecution(ctx, s)
	})
	if err != nil {
		return fmt.Errorf("recording the start of step %s: %w", p.spec.name, err)
	}
	return nil
}

// open makes the records of the workflow unless they are there.
func (p progress) open(ctx context.Context, tx ingot.Tx) error {
	_, err := tx.WorkflowExecution(ctx, p.execution())
	if ingot.ErrorCode(err) != ingot.CodeNotFound {
		return err
	}
	if _, err := p.b.advanceIn(ctx, tx, p.image, stageOf[p.spec.workflow], nil); err != nil {
		return err
	}
	specs := stepsOf(p.spec.workflow)
	var w ingot.WorkflowExecution
	w.WorkflowExecutionId, w.ImageBuildVersionArn = p.execution(), p.image.String()
	w.WorkflowBuildVersionArn = workflowARN(p.image, p.spec.workflow)
	w.Type = typeOf[p.spec.workflow]
	w.Status, w.StartTime = model.WorkflowExecutionStatusRunning, timestamp(p.b.Now())
	w.TotalStepCount, w.TotalStepsSucceeded, w.TotalStepsFailed, w.TotalStepsSkipped = new(len(specs)), new(0), new(0), new(0)
	if err := tx.PutWorkflowExecution(ctx, w); err != nil {
		return err
	}
	for i, spec := range specs {
		if err := tx.PutStepExecution(ctx, p.pending(spec, i)); err != nil {
			return err
		}
	}
	return nil
}

var (
	stageOf = map[string]model.ImageStatus{workflowBuild: model.ImageStatusBuilding, workflowTest: model.ImageStatusTesting}
	typeOf  = map[string]model.WorkflowType{workflowBuild: model.WorkflowTypeBuild, workflowTest: model.WorkflowTypeTest}
)

func (p progress) pending(spec step, order int) ingot.StepExecution {
	s := ingot.StepExecution{Order: order, AttemptNumber: new(1), MaxAttempts: new(maxAttempts)}
	s.StepExecutionId = stepID(p.image.String(), spec.workflow, spec.name)
	s.WorkflowExecutionId, s.ImageBuildVersionArn = p.execution(), p.image.String()
	s.WorkflowBuildVersionArn = workflowARN(p.image, spec.workflow)
	s.Name, s.Action, s.Description = spec.name, spec.action, spec.description
	s.OnFailure = "Abort"
	if spec.proceed {
		s.OnFailure = "Continue"
	}
	s.TimeoutSeconds = new(int(spec.timeout / time.Second))
	s.Status = model.WorkflowStepExecutionStatusPending
	return s
}

// ended is how a step ended.
type ended struct {
	status          model.WorkflowStepExecutionStatus
	message         string
	inputs, outputs any
}

// end shows how the step ended, and counts it. The last step to end well ends
// the workflow.
func (p progress) end(ctx context.Context, e ended) error {
	inputs, err := encode(e.inputs)
	if err != nil {
		return err
	}
	outputs, err := encode(e.outputs)
	if err != nil {
		return err
	}
	err = p.b.Records.Write(ctx, func(tx ingot.Tx) error {
		s, err := tx.StepExecution(ctx, p.id())
		if err != nil {
			return err
		}
		s.Status, s.Message, s.Inputs, s.Outputs = e.status, shorten(e.message, maxMessage), inputs, outputs
		s.EndTime = timestamp(p.b.Now())
		if err := tx.PutStepExecution(ctx, s); err != nil {
			return err
		}
		return p.count(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("recording the end of step %s: %w", p.spec.name, err)
	}
	return nil
}

// count brings the workflow's counters up to date with its steps.
func (p progress) count(ctx context.Context, tx ingot.Tx) error {
	w, err := tx.WorkflowExecution(ctx, p.execution())
	if err != nil {
		return err
	}
	steps, _, err := tx.StepExecutions(ctx, p.execution(), "", maxSteps)
	if err != nil {
		return err
	}
	n := map[model.WorkflowStepExecutionStatus]int{}
	aborted := false
	for _, s := range steps {
		n[s.Status]++
		aborted = aborted || s.Status == model.WorkflowStepExecutionStatusFailed && s.OnFailure == "Abort"
	}
	w.TotalStepsSucceeded = new(n[model.WorkflowStepExecutionStatusCompleted])
	w.TotalStepsFailed = new(n[model.WorkflowStepExecutionStatusFailed])
	w.TotalStepsSkipped = new(n[model.WorkflowStepExecutionStatusSkipped])
	over := *w.TotalStepsSucceeded + *w.TotalStepsFailed + *w.TotalStepsSkipped
	if over == len(steps) && !aborted {
		w.Status, w.EndTime = model.WorkflowExecutionStatusCompleted, timestamp(p.b.Now())
	}
	return tx.PutWorkflowExecution(ctx, w)
}

// encode is JSON as the string that the API shows; nil is no string.
func encode(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding the inputs or outputs of a step: %w", err)
	}
	return string(data), nil
}

// shorten keeps the first limit characters of a text.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(slices.Concat(runes[:limit-1], []rune{'…'}))
}
