package lifecycle

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// turn is how many images an execution deals with before others have theirs.
const turn = 10

// execute lets an execution have its turn.
func (r *Runner) execute(ctx context.Context, due ingot.LifecycleDue) error {
	id := due.Subject
	e, err := r.Store.LifecycleExecution(ctx, id)
	if err != nil {
		return err
	}
	switch e.State.Status {
	case model.LifecycleExecutionStatusPending: // its time has come
		return r.Store.Write(ctx, func(tx ingot.Tx) error { return ingot.ResumeLifecycle(ctx, tx, id, r.Now()) })
	case model.LifecycleExecutionStatusInProgress, model.LifecycleExecutionStatusCancelling:
	default:
		return r.Store.Write(ctx, func(tx ingot.Tx) error { return tx.DeleteLifecycleDue(ctx, id) })
	}
	rows, err := r.Store.OpenLifecycleImages(ctx, id, turn)
	if err != nil {
		return err
	}
	for _, row := range rows {
		going, err := r.isGoing(ctx, id)
		if err != nil {
			return err
		}
		if going == stopped {
			return r.cancel(ctx, id)
		}
		if going == paused {
			return r.Store.Write(ctx, func(tx ingot.Tx) error {
				return ingot.PauseLifecycle(ctx, tx, id, "The policy is DISABLED. The execution goes on with the next run.")
			})
		}
		err = r.actOnImage(ctx, e, row)
		if err != nil && !ingot.IsTransient(ctx, err) { // of this image: the others must not wait for it
			r.Log.Error("a lifecycle action on an image failed", "execution", id, "image", row.ResourceId, "error", err)
			reason := err.Error()
			err = r.Store.Write(ctx, func(tx ingot.Tx) error { return ingot.FailLifecycleImage(ctx, tx, id, row, reason, r.Now()) })
		}
		if err != nil {
			return err
		}
	}
	return r.Store.Write(ctx, func(tx ingot.Tx) error {
		if len(rows) < turn {
			return ingot.EndLifecycle(ctx, tx, id, r.Now())
		}
		return tx.PutLifecycleDue(ctx, ingot.LifecycleDue{Subject: id, At: r.Now()}) // behind the others
	})
}

// going is whether an execution may go on to its next image.
type going int

const (
	goes    going = iota
	paused        // its policy is disabled
	stopped       // it is being cancelled
)

func (r *Runner) isGoing(ctx context.Context, id string) (going, error) {
	e, err := r.Store.LifecycleExecution(ctx, id)
	if err != nil || e.State.Status == model.LifecycleExecutionStatusCancelling {
		return stopped, err
	}
	if e.LifecyclePolicyArn == "" {
		return goes, nil
	}
	policy, err := ingot.ParseARN(e.LifecyclePolicyArn)
	if err != nil {
		return stopped, err
	}
	record, err := r.Store.Get(ctx, policy)
	if err != nil || record.Status != string(model.LifecyclePolicyStatusEnabled) {
		return paused, err
	}
	return goes, nil
}

// cancel ends an execution and leaves the rest of its images alone.
func (r *Runner) cancel(ctx context.Context, id string) error {
	for {
		rows, err := r.Store.OpenLifecycleImages(ctx, id, batch)
		if err != nil {
			return err
		}
		err = r.Store.Write(ctx, func(tx ingot.Tx) error {
			e, err := tx.LifecycleExecution(ctx, id)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if err := ingot.SkipLifecycleImage(ctx, tx, e, row, "the execution was cancelled", r.Now()); err != nil {
					return err
				}
			}
			if len(rows) < batch {
				return ingot.EndLifecycle(ctx, tx, id, r.Now())
			}
			return nil
		})
		if err != nil || len(rows) < batch {
			return err
		}
	}
}
