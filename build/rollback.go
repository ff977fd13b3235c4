package build

import (
	"context"
	"errors"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// rollback is the undoing of a workflow that was aborted.
type rollback struct {
	Task   task      `json:"task"`
	Reason string    `json:"reason"`
	Steps  []undoing `json:"steps"` // the last one first
}

type undoing struct {
	Step    string `json:"step"`
	Enabled bool   `json:"enabled"` // there is something to undo, and it may be
	Error   string `json:"error,omitempty"`
}

// rollBack walks back over the steps that were begun, and ends the workflow.
// Source: workflows.md §5.3.
func (b *Builder) rollBack(ctx context.Context, r rollback) (_ any, err error) {
	w, err := b.enter(ctx, r.Task)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.leave()) }()
	undone := false
	for _, u := range r.Steps {
		if u.Enabled && !undone {
			if err := w.endWorkflow(ctx, model.WorkflowExecutionStatusRollbackInProgress, r.Reason); err != nil {
				return nil, err
			}
		}
		status, err := w.undo(ctx, u)
		if err != nil {
			return nil, err
		}
		undone = undone || status == model.WorkflowStepExecutionRollbackStatusCompleted || status == model.WorkflowStepExecutionRollbackStatusFailed
	}
	status := model.WorkflowExecutionStatusFailed
	if undone {
		status = model.WorkflowExecutionStatusRollbackCompleted
	}
	err = w.endWorkflow(ctx, status, r.Reason)
	w.changes.tell()
	return nil, err
}

// undo undoes one step, if it was begun, and records how that went.
func (w *work) undo(ctx context.Context, u undoing) (status model.WorkflowStepExecutionRollbackStatus, err error) {
	w.Step.Name = u.Step
	step, err := w.readStep(ctx)
	if err != nil || step.Status == model.WorkflowStepExecutionStatusPending || step.Status == model.WorkflowStepExecutionStatusSkipped {
		return "", err
	}
	status = model.WorkflowStepExecutionRollbackStatusSkipped
	switch undo := rollbacks[step.Action]; {
	case u.Error != "":
		status = model.WorkflowStepExecutionRollbackStatusFailed
		w.log.note("The rollback of %s failed: %s", u.Step, u.Error)
	case u.Enabled && undo != nil:
		if err := w.recordRollback(ctx, model.WorkflowStepExecutionRollbackStatusRunning); err != nil {
			return "", err
		}
		if status, err = undo(w, ctx); err != nil {
			if ctx.Err() != nil {
				return "", err
			}
			status = model.WorkflowStepExecutionRollbackStatusFailed
			w.log.note("The rollback of %s failed: %s", u.Step, err)
		}
	}
	return status, w.recordRollback(ctx, status)
}

// rollbacks undo the actions that have something to undo. Source: workflows.md §6.
var rollbacks = map[string]func(*work, context.Context) (model.WorkflowStepExecutionRollbackStatus, error){
	"LaunchInstance":       (*work).undoLaunch,
	"CollectImageMetadata": (*work).undoMetadata,
}

func (w *work) readStep(ctx context.Context) (s ingot.StepExecution, err error) {
	err = w.Records.Write(ctx, func(tx ingot.Tx) error {
		s, err = tx.StepExecution(ctx, w.stepID())
		return err
	})
	if err != nil {
		return s, fmt.Errorf("reading step %s: %w", w.Step.Name, err)
	}
	return s, nil
}

func (w *work) recordRollback(ctx context.Context, status model.WorkflowStepExecutionRollbackStatus) error {
	err := w.Records.Write(ctx, func(tx ingot.Tx) error {
		s, err := tx.StepExecution(ctx, w.stepID())
		if err != nil {
			return err
		}
		s.RollbackStatus = status
		return tx.PutStepExecution(ctx, s)
	})
	if err != nil {
		return fmt.Errorf("recording the rollback of %s: %w", w.Step.Name, err)
	}
	return nil
}

// endWorkflow gives the workflow's execution a status.
func (w *work) endWorkflow(ctx context.Context, status model.WorkflowExecutionStatus, message string) error {
	err := w.Records.Write(ctx, func(tx ingot.Tx) error {
		e, err := tx.WorkflowExecution(ctx, w.execution())
		if err != nil {
			return err
		}
		e.Status, e.Message = status, shorten(message, maxMessage)
		if !isRunning(e) {
			e.EndTime = timestamp(w.Now())
		}
		return tx.PutWorkflowExecution(ctx, e)
	})
	if err != nil {
		return fmt.Errorf("recording that %s is %s: %w", w.execution(), status, err)
	}
	return nil
}
