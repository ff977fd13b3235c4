package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// A retry from a step goes on in the workflow that failed, with the instances
// that the failure left running. To the API it is another execution, whose
// first steps are those of the execution that failed.

// takenUp is where a workflow goes on.
type takenUp struct {
	Key       string         `json:"key"`       // of the workflow
	Execution string         `json:"execution"` // that failed
	Step      int            `json:"step"`      // first to run
	Outputs   map[string]any `json:"outputs"`   // $.stepOutputs of those before
	Image     string         `json:"image,omitempty"`
}

// RetryFrom makes an image that has failed go on from a step: of the workflow
// that failed, that step or one before. What the steps before it have made must
// still be there.
func (b *Builder) RetryFrom(ctx context.Context, image ingot.ARN, step string) error {
	record, err := b.Records.Get(ctx, image)
	if err != nil {
		return err
	}
	document, err := ingot.Decode[model.Image](record)
	if err != nil {
		return err
	}
	if f := document.State.FailureContext; f != nil {
		steps, err := b.stepsOf(ctx, f.WorkflowExecutionId)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(steps, func(s ingot.StepExecution) bool { return s.Name == step }); i > 0 {
			if err := b.checkLeft(ctx, image, steps[:i]); err != nil {
				return err
			}
		}
	}
	err = b.Records.Write(ctx, func(tx ingot.Tx) error { return ingot.RetryImageFrom(ctx, tx, image, step, b.Now()) })
	if err != nil {
		return err
	}
	return b.StartImage(ctx, image)
}

// checkLeft checks that what steps have made is still there.
func (b *Builder) checkLeft(ctx context.Context, image ingot.ARN, steps []ingot.StepExecution) error {
	for _, s := range steps {
		outputs, err := outputsOf(s)
		if err != nil {
			return err
		}
		if id, ok := outputs["instanceId"].(string); ok && s.Action == "LaunchInstance" {
			p, err := b.recall(image.String(), id)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err != nil || p.Ended || !b.isThere(ctx, p) {
				return ingot.Errorf(ingot.CodeRequest, "The instance %s that the step '%s' launched is gone. Go on from '%s', or build again with terminateInstanceOnFailure false in the infrastructure configuration, which keeps the instances of a failure.", id, s.Name, s.Name)
			}
		}
		if id, ok := outputs["imageId"].(string); ok {
			if _, err := b.Records.FindAMI(ctx, image.Scope(), id); ingot.ErrorCode(err) == ingot.CodeNotFound {
				return ingot.Errorf(ingot.CodeRequest, "The AMI %s that the step '%s' made is gone, as the image failed before its build stage was over. Build the image again.", id, s.Name)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// isThere reports whether a driver still has an instance, be it powered off.
func (b *Builder) isThere(ctx context.Context, p product) bool {
	driver := b.Drivers[p.Kind]
	if driver == nil {
		return false
	}
	_, err := driver.Adopt(ctx, p.ID)
	return err == nil
}

// passed reports whether the last execution of a workflow leaves nothing to do.
func (b *Builder) passed(ctx context.Context, req request, s scheduled) (bool, error) {
	for run := req.Run - 1; run >= 1; run-- {
		e, err := b.Records.WorkflowExecution(ctx, executionID(req.Image, s.Key, run))
		if ingot.ErrorCode(err) == ingot.CodeNotFound {
			continue
		}
		failed := e.Status == model.WorkflowExecutionStatusFailed || e.Status == model.WorkflowExecutionStatusRollbackCompleted
		return e.Status == model.WorkflowExecutionStatusCompleted || failed && s.OnFailure == model.OnWorkflowFailureContinue, err
	}
	return false, nil
}

// wasExecution reports whether an execution is of a run of the workflow before.
func (s scheduled) wasExecution(req request, id string) bool {
	for run := 1; run < req.Run; run++ {
		if executionID(req.Image, s.Key, run) == id {
			return true
		}
	}
	return false
}

// readFrom reads what the steps before one have made off their records.
func (b *Builder) readFrom(ctx context.Context, s scheduled, execution, step string) (*takenUp, error) {
	steps, err := b.stepsOf(ctx, execution)
	if err != nil {
		return nil, err
	}
	from := &takenUp{Key: s.Key, Execution: execution, Outputs: map[string]any{}}
	for i, done := range steps {
		if done.Name == step {
			from.Step = i
			return from, nil
		}
		outputs, err := outputsOf(done)
		if err != nil {
			return nil, err
		}
		if outputs == nil {
			continue
		}
		from.Outputs[done.Name] = outputs
		if id, ok := outputs["imageId"].(string); ok {
			from.Image = id
		}
	}
	return nil, fmt.Errorf("the workflow %s has no step %s", s.ARN, step)
}

// outputsOf are the outputs that a step gave to those after it; nil if none.
func outputsOf(s ingot.StepExecution) (outputs map[string]any, err error) {
	if s.Outputs == "" || s.Status != model.WorkflowStepExecutionStatusCompleted {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(s.Outputs), &outputs); err != nil {
		return nil, fmt.Errorf("reading the outputs of step %s: %w", s.Name, err)
	}
	return outputs, nil
}

func (b *Builder) stepsOf(ctx context.Context, execution string) ([]ingot.StepExecution, error) {
	steps, _, err := b.Records.StepExecutions(ctx, execution, "", maxSteps)
	return steps, err
}

func (r *resumption) isDone(s scheduled) bool { return r != nil && slices.Contains(r.Done, s.Key) }

func (r *resumption) goesOnIn(s scheduled) bool {
	return r != nil && r.From != nil && r.From.Key == s.Key
}

// goOn has the walk begin at a later step.
func (w *walk) goOn(from takenUp) error {
	w.from, w.values.StepOutputs, w.image = from.Step, from.Outputs, from.Image
	name := fmt.Sprintf("%s:%s", actionTakeUp, w.task.Workflow.Key)
	return w.ctx.Step(name, "", takeUpTask{Task: w.task, From: from}, nil)
}

// takeUpTask is the input of the action that begins such an execution.
type takeUpTask struct {
	Task task    `json:"task"`
	From takenUp `json:"from"`
}

// takeUp makes the execution that goes on: with the steps that are done, and
// with the instances of the one that failed.
func (b *Builder) takeUp(ctx context.Context, t takeUpTask) (_ any, err error) {
	w, err := b.enter(ctx, t.Task)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.leave()) }()
	if err := w.inherit(t.From.Execution); err != nil {
		return nil, err
	}
	steps, err := b.stepsOf(ctx, t.From.Execution)
	if err != nil {
		return nil, err
	}
	w.log.note("Going on from %s", steps[t.From.Step].Name)
	return nil, w.whenGroupHasRoom(ctx, func(tx ingot.Tx) error {
		if err := w.openWorkflow(ctx, tx); err != nil {
			return err
		}
		for _, s := range steps[:t.From.Step] {
			s.WorkflowExecutionId, s.StepExecutionId = w.execution(), stepID(w.execution(), s.Name)
			s.RollbackStatus = ""
			if err := tx.PutStepExecution(ctx, s); err != nil {
				return err
			}
		}
		return w.count(ctx, tx)
	})
}

// inherit makes the instances that a failure left running those of this
// execution, which ends them or keeps them again.
func (w *work) inherit(execution string) error {
	list, err := w.products(w.Plan.Image, isInstance)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Execution != execution || p.Ended {
			continue
		}
		p.Execution, p.Attempt = w.execution(), w.Attempt
		if err := w.remember(w.Plan.Image, p); err != nil {
			return err
		}
	}
	err = os.Remove(filepath.Join(w.dir(w.Plan.Image), keptFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
