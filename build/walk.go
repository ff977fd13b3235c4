package build

import (
	"errors"
	"fmt"
	"time"

	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

// maxAttempts is how often a workflow is begun with fresh instances because
// those before were lost: the host was restarted, or something killed them.
const maxAttempts = 3

// kindLost marks the failure of a step whose instance is gone through no fault
// of the recipe.
const kindLost = "instanceLost"

func isLost(err error) bool { return kindOf(err) == kindLost }

// kindOf is the kind of a step's failure; empty also for the end of the run.
func kindOf(err error) string {
	if failed := failureOf(err); failed != nil {
		return failed.Kind
	}
	return ""
}

// failureOf is the failure of a step, or nil for what ends the run itself.
func failureOf(err error) *flow.Error {
	var failed *flow.Error
	if errors.As(err, &failed) {
		return failed
	}
	return nil
}

// walk runs one workflow: it goes through its document, step by step. Like all
// of a durable function it decides by what steps have returned, and nothing else.
type walk struct {
	ctx      flow.Context
	document *workflow.Document
	values   workflow.Values
	task     task   // of its steps
	image    string // AMI that its last CreateImage or RegisterImage made
	from     int    // first step to run
}

// run goes through the steps. After a failure that aborts it undoes what can
// be undone. A lost instance is no failure while there are attempts left.
// Source: workflows.md §5.
func (w *walk) run() error {
	for i, s := range w.document.Steps[w.from:] {
		err := w.step(s)
		switch failed := failureOf(err); {
		case err == nil:
		case failed == nil, failed.Kind == kindNotStarted, failed.Kind == kindLost && w.task.Attempt < maxAttempts:
			return err
		case s.OnFailure != workflow.Continue:
			return errors.Join(err, w.rollBack(w.document.Steps[:w.from+i+1], failed))
		}
	}
	return nil
}

func (w *walk) step(s workflow.Step) error {
	t := w.taskOf(s)
	if s.If != nil {
		holds, err := w.values.Holds(*s.If)
		if err != nil {
			return w.settle(t, model.WorkflowStepExecutionStatusFailed, err.Error())
		}
		if !holds {
			return w.settle(t, model.WorkflowStepExecutionStatusSkipped, "Its condition does not hold")
		}
	}
	for {
		outputs, err := w.attempt(s, t)
		if err == nil {
			w.keep(s, outputs)
			return nil
		}
		if failureOf(err) == nil || isLost(err) || kindOf(err) == kindUnresolved || t.Step.Attempt == s.Retry.MaxAttempts {
			return err
		}
		if err := w.pause("backoff", t, s.Retry.Backoff); err != nil {
			return err
		}
		t.Step.Attempt++
	}
}

// taskOf is the step's first attempt, with its inputs as the document has them.
func (w *walk) taskOf(s workflow.Step) task {
	t := w.task
	t.Step = stepTask{outline: outlineOf(s), Attempt: 1, Timeout: s.Timeout, Inputs: s.Inputs}
	return t
}

// attempt runs the action once.
func (w *walk) attempt(s workflow.Step, t task) (map[string]any, error) {
	if s.Wait > 0 {
		if err := w.settle(t, model.WorkflowStepExecutionStatusRunning, fmt.Sprintf("Waiting %s", s.Wait)); err != nil {
			return nil, err
		}
		if err := w.pause("pause", t, s.Wait); err != nil {
			return nil, err
		}
		t.Step.Timeout -= s.Wait // it counts. Source: workflows.md §5.1.
	}
	resolved, err := w.values.Resolve(s)
	if err != nil {
		return nil, w.settle(t, model.WorkflowStepExecutionStatusFailed, err.Error())
	}
	t.Step.Inputs = resolved
	if s.Action.Name == actionWait {
		return w.waitForAction(t)
	}
	var out stepResult
	err = w.ctx.Step(s.Action.Name+":"+t.key(), "", t, &out)
	return out.Outputs, err
}

// kindUnresolved marks the failure of a step before its action: another
// attempt would not differ.
const kindUnresolved = "unresolved"

func (w *walk) settle(t task, status model.WorkflowStepExecutionStatus, message string) error {
	return w.ctx.Step(actionSettle+":"+string(status)+"/"+t.key(), "", settlement{Task: t, Status: status, Message: message}, nil)
}

// pause lets time go by, over restarts.
func (w *walk) pause(why string, t task, d time.Duration) error {
	if d == 0 {
		return nil
	}
	if err := w.ctx.Wait(why+":"+t.key(), d, nil); !errors.Is(err, flow.ErrTimeout) {
		return err
	}
	return nil
}

// keep takes over what a step gave to those after it.
func (w *walk) keep(s workflow.Step, outputs map[string]any) {
	if outputs == nil {
		return // it was skipped, or has none
	}
	w.values.StepOutputs[s.Name] = outputs
	if id, ok := outputs["imageId"].(string); ok {
		w.image = id
	}
}

// rollBack undoes the steps so far, the last one first. Source: workflows.md §5.3.
func (w *walk) rollBack(steps []workflow.Step, why *flow.Error) error {
	r := rollback{Task: w.task, Reason: why.Message}
	for i := len(steps) - 1; i >= 0; i-- {
		enabled, err := w.values.RollbackOf(steps[i])
		u := undoing{Step: steps[i].Name, Enabled: enabled && steps[i].Action.Rollback}
		if err != nil {
			u.Error = err.Error()
		}
		r.Steps = append(r.Steps, u)
	}
	return w.ctx.Step(fmt.Sprintf("%s:%s/%d", actionRollback, w.task.Workflow.Key, w.task.Attempt), "", r, nil)
}
