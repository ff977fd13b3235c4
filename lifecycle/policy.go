package lifecycle

import (
	"context"
	"slices"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// runPolicy starts the execution of a policy that is due. One that has not
// ended goes on instead. Source: lifecycle.md §2.1.
func (r *Runner) runPolicy(ctx context.Context, due ingot.LifecycleDue) error {
	arn, err := ingot.ParseARN(due.Subject)
	if err != nil {
		return err
	}
	record, err := r.Store.Get(ctx, arn)
	switch {
	case ingot.ErrorCode(err) == ingot.CodeNotFound, err == nil && record.Status != string(model.LifecyclePolicyStatusEnabled):
		return r.Store.Write(ctx, func(tx ingot.Tx) error { return tx.DeleteLifecycleDue(ctx, due.Subject) })
	case err != nil:
		return err
	case due.At.IsZero():
		return r.dueNext(ctx, arn, ingot.NextLifecycleRun(arn, r.Now()))
	}
	open, err := r.Store.OpenLifecycle(ctx, arn)
	if err != nil {
		return err
	}
	if open != "" {
		return r.goOn(ctx, arn, open)
	}
	decisions, err := decide(ctx, r.Store, record, r.Now())
	if err != nil {
		return err
	}
	var e ingot.LifecycleExecution
	err = r.Store.Write(ctx, func(tx ingot.Tx) (err error) {
		e, err = ingot.StartLifecycleRun(ctx, tx, record, decisions, r.Now())
		return err
	})
	switch {
	case ingot.ErrorCode(err) == ingot.CodeInUse: // it was written meanwhile, and with it when it is due
		return nil
	case err != nil:
		return err
	}
	r.Log.Info("a lifecycle policy runs", "policy", arn, "execution", e.LifecycleExecutionId, "images", len(decisions))
	return nil
}

func (r *Runner) dueNext(ctx context.Context, policy ingot.ARN, at time.Time) error {
	return r.Store.Write(ctx, func(tx ingot.Tx) error {
		return tx.PutLifecycleDue(ctx, ingot.LifecycleDue{Subject: policy.String(), At: at})
	})
}

// cancelPause is how long a policy waits for its cancelled execution to end.
const cancelPause = time.Minute

// goOn lets the open execution of a policy go on, if it was paused. One that is
// being cancelled makes room for another in a moment.
func (r *Runner) goOn(ctx context.Context, policy ingot.ARN, execution string) error {
	return r.Store.Write(ctx, func(tx ingot.Tx) error {
		e, err := tx.LifecycleExecution(ctx, execution)
		if err != nil {
			return err
		}
		next := ingot.NextLifecycleRun(policy, r.Now())
		if e.State.Status == model.LifecycleExecutionStatusCancelling {
			next = r.Now().Add(cancelPause)
		}
		if err := ingot.ResumeLifecycle(ctx, tx, execution, r.Now()); err != nil {
			return err
		}
		return tx.PutLifecycleDue(ctx, ingot.LifecycleDue{Subject: policy.String(), At: next})
	})
}

// decide says what the rules of a policy do to the images that it selects now.
func decide(ctx context.Context, records ingot.RecordReader, policy ingot.Record, now time.Time) ([]ingot.LifecycleDecision, error) {
	p, err := ingot.Decode[model.LifecyclePolicy](policy)
	if err != nil {
		return nil, err
	}
	images, err := ingot.SelectLifecycleImages(ctx, records, policy.ARN, p)
	if err != nil {
		return nil, err
	}
	return oldest(ingot.DecideLifecycle(p.PolicyDetails, images, now), maxImages), nil
}

// maxImages is how many images an execution deals with; more wait for the next
// run. Their rows are one transaction, during which nobody else writes: 0.1 ms
// for each.
const maxImages = 5000

// oldest are at most n decisions, about the images that were made first.
func oldest(decisions []ingot.LifecycleDecision, n int) []ingot.LifecycleDecision {
	if len(decisions) <= n {
		return decisions
	}
	slices.SortStableFunc(decisions, func(a, b ingot.LifecycleDecision) int { return a.Created.Compare(b.Created) })
	return decisions[:n]
}
