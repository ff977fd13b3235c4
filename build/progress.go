package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
)

// What the API shows of a running build: an execution for each workflow, and
// in it an execution for each step. Source: workflows.md §5, §10.

// maxSteps bounds a page that holds all steps of an execution, which has 15 at
// most. Source: workflows.md §2.3.
const maxSteps = 25

// maxMessage is the length of a step's message in characters. Source: workflows.md §5.1.
const maxMessage = 500

func timestamp(t time.Time) string { return model.DateTime(t) }

// begin shows the step as running. The first step of a workflow makes the
// workflow's records, moves the image to its stage, and waits while its group
// is full.
func (w *work) begin(ctx context.Context) error {
	w.begun = w.Now()
	inputs, err := encode(w.Step.Inputs)
	if err != nil {
		return err
	}
	return w.whenGroupHasRoom(ctx, func(tx ingot.Tx) error { return w.beginIn(ctx, tx, inputs) })
}

// whenGroupHasRoom writes what begins a step, and waits while its group is full.
func (w *work) whenGroupHasRoom(ctx context.Context, write func(ingot.Tx) error) error {
	for {
		changed := w.changes.wait() // before looking: a change in between wakes us
		err := w.Records.Write(ctx, write)
		if !errors.Is(err, errGroupFull) {
			return w.notBegun(err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (w *work) notBegun(err error) error {
	if errors.Is(err, errGroupOver) {
		return &flow.Error{Kind: kindNotStarted, Message: errGroupOver.Error()}
	}
	if err != nil {
		return fmt.Errorf("recording the start of step %s: %w", w.Step.Name, err)
	}
	return nil
}

func (w *work) beginIn(ctx context.Context, tx ingot.Tx, inputs string) error {
	if err := w.openWorkflow(ctx, tx); err != nil {
		return err
	}
	s, err := tx.StepExecution(ctx, w.stepID())
	if err != nil {
		return err
	}
	if s.Status != model.WorkflowStepExecutionStatusRunning {
		s.StartTime = timestamp(w.Now())
	}
	s.Status, s.EndTime, s.Message, s.Outputs = model.WorkflowStepExecutionStatusRunning, "", "", ""
	s.Inputs, s.AttemptNumber = inputs, &w.Step.Attempt
	return tx.PutStepExecution(ctx, s)
}

// openWorkflow makes the records of the workflow unless they are there. When
// it begins again, its steps are PENDING again.
func (w *work) openWorkflow(ctx context.Context, tx ingot.Tx) error {
	e, err := tx.WorkflowExecution(ctx, w.execution())
	switch {
	case ingot.ErrorCode(err) == ingot.CodeNotFound:
		if err := w.checkGroup(ctx, tx); err != nil {
			return err
		}
		if _, err := w.advanceIn(ctx, tx, w.image, stageOf[w.Workflow.Type], nil); err != nil {
			return err
		}
		e.WorkflowExecutionId, e.ImageBuildVersionArn = w.execution(), w.Plan.Image
		e.WorkflowBuildVersionArn, e.Type = w.Workflow.ARN, w.Workflow.Type
		e.ParallelGroup, e.StartTime = w.Workflow.Group, timestamp(w.Now())
	case err != nil, e.Attempt == w.Attempt:
		return err
	}
	e.Attempt, e.Status, e.Message = w.Attempt, model.WorkflowExecutionStatusRunning, ""
	e.TotalStepCount = new(len(w.Workflow.Steps))
	e.TotalStepsSucceeded, e.TotalStepsFailed, e.TotalStepsSkipped = new(0), new(0), new(0)
	if err := tx.PutWorkflowExecution(ctx, e); err != nil {
		return err
	}
	for i, o := range w.Workflow.Steps {
		if err := tx.PutStepExecution(ctx, w.pending(o, i)); err != nil {
			return err
		}
	}
	return nil
}

func (t task) pending(o outline, order int) ingot.StepExecution {
	s := ingot.StepExecution{Order: order, AttemptNumber: new(1), MaxAttempts: new(o.MaxAttempts)}
	s.StepExecutionId = stepID(t.execution(), o.Name)
	s.WorkflowExecutionId, s.ImageBuildVersionArn = t.execution(), t.Plan.Image
	s.WorkflowBuildVersionArn = t.Workflow.ARN
	s.Name, s.Action, s.Description, s.OnFailure = o.Name, o.Action, o.Description, o.OnFailure
	s.TimeoutSeconds = new(int(o.Limit / time.Second))
	s.Status = model.WorkflowStepExecutionStatusPending
	return s
}

// ended is how a step, or an attempt of one, ended.
type ended struct {
	status  model.WorkflowStepExecutionStatus
	message string
	outputs map[string]any
}

// end shows how the step ended, and counts it. The last step to end well ends
// the workflow.
func (w *work) end(ctx context.Context, e ended) error {
	outputs := ""
	if len(e.outputs) > 0 {
		var err error
		if outputs, err = encode(e.outputs); err != nil {
			return err
		}
	}
	var begun time.Time
	err := w.Records.Write(ctx, func(tx ingot.Tx) error {
		s, err := tx.StepExecution(ctx, w.stepID())
		if err != nil {
			return err
		}
		begun = w.begunAt(s)
		s.Status, s.Message, s.Outputs = e.status, shorten(e.message, maxMessage), outputs
		if e.status != model.WorkflowStepExecutionStatusRunning {
			s.EndTime = timestamp(w.Now())
		}
		if e.status == model.WorkflowStepExecutionStatusSkipped {
			s.StartTime = s.EndTime
		}
		if err := tx.PutStepExecution(ctx, s); err != nil {
			return err
		}
		return w.count(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("recording the end of step %s: %w", w.Step.Name, err)
	}
	w.changes.tell()
	w.observeStep(begun, e)
	return nil
}

// begunAt is when this attempt at a step began. The record has the begin of the
// first one; of a later one that a killed server began, only the rest is known.
func (w *work) begunAt(s ingot.StepExecution) time.Time {
	if w.Step.Attempt > 1 && !w.begun.IsZero() {
		return w.begun
	}
	return parseTime(s.StartTime)
}

// count brings the workflow's counters up to date with its steps.
func (w *work) count(ctx context.Context, tx ingot.Tx) error {
	e, err := tx.WorkflowExecution(ctx, w.execution())
	if err != nil {
		return err
	}
	steps, _, err := tx.StepExecutions(ctx, w.execution(), "", maxSteps)
	if err != nil {
		return err
	}
	n := map[model.WorkflowStepExecutionStatus]int{}
	aborted := false
	for _, s := range steps {
		n[s.Status]++
		aborted = aborted || s.Status == model.WorkflowStepExecutionStatusFailed && s.OnFailure == "Abort"
	}
	e.TotalStepsSucceeded = new(n[model.WorkflowStepExecutionStatusCompleted])
	e.TotalStepsFailed = new(n[model.WorkflowStepExecutionStatusFailed])
	e.TotalStepsSkipped = new(n[model.WorkflowStepExecutionStatusSkipped])
	over := *e.TotalStepsSucceeded + *e.TotalStepsFailed + *e.TotalStepsSkipped
	if over == len(steps) && !aborted {
		e.Status, e.EndTime = model.WorkflowExecutionStatusCompleted, timestamp(w.Now())
	}
	return tx.PutWorkflowExecution(ctx, e)
}

// encode is JSON as the string that the API shows.
func encode(v any) (string, error) {
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

// executions lists all workflow executions of an image, newest first.
func executions(ctx context.Context, r ingot.ExecutionReader, image ingot.ARN) (all []ingot.WorkflowExecution, err error) {
	for after, more := "", true; more; more = after != "" {
		var list []ingot.WorkflowExecution
		if list, after, err = r.WorkflowExecutions(ctx, image, after, maxSteps); err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// isRunning reports whether an execution has begun and not ended.
func isRunning(e ingot.WorkflowExecution) bool {
	return e.Status == model.WorkflowExecutionStatusRunning || e.Status == model.WorkflowExecutionStatusRollbackInProgress
}
