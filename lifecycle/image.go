package lifecycle

import (
	"cmp"
	"context"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// actOnImage carries out what an execution has decided for an image: first on
// its outputs, where the action includes them, and then on its record.
func (r *Runner) actOnImage(ctx context.Context, e ingot.LifecycleExecution, row ingot.LifecycleResource) error {
	row.StartTime = new(model.EpochOf(r.Now()))
	arn, err := ingot.ParseARN(row.ResourceId)
	if err != nil {
		return err
	}
	image, err := findImage(ctx, r.Store, arn)
	if err != nil {
		return err
	}
	if image != nil {
		if reason := e.SparesImage(image, row.Action.Name); reason != "" {
			return r.Store.Write(ctx, func(tx ingot.Tx) error {
				return ingot.SkipLifecycleImage(ctx, tx, e, row, reason, r.Now())
			})
		}
	}
	outputs, err := r.actOnOutputs(ctx, work{e, row.Action.Name, arn}, image)
	if err != nil {
		return err
	}
	err = r.Store.Write(ctx, func(tx ingot.Tx) error {
		return ingot.CloseLifecycleImage(ctx, tx, e.LifecycleExecutionId, row, outputs, r.Now())
	})
	if err != nil {
		return fmt.Errorf("closing %s: %w", arn, err)
	}
	return nil
}

// findImage is nil for an image that is gone.
func findImage(ctx context.Context, records ingot.RecordReader, arn ingot.ARN) (*model.Image, error) {
	record, err := records.Get(ctx, arn)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return ingot.Decode[model.Image](record)
}

// work is an action of an execution on an image.
type work struct {
	execution ingot.LifecycleExecution
	action    model.LifecycleExecutionResourceActionName
	image     ingot.ARN
}

// includes is what the action reaches.
func (w work) includes() ingot.LifecycleAction { return w.execution.Actions[w.action] }

// actOnOutputs deals with the outputs of an image that an action includes, and
// returns their rows. Those that a run before a restart has finished stay so.
func (r *Runner) actOnOutputs(ctx context.Context, w work, image *model.Image) ([]ingot.LifecycleResource, error) {
	if image == nil || image.OutputResources == nil {
		return nil, nil
	}
	known, err := r.outputs(ctx, w)
	if err != nil {
		return nil, err
	}
	var rows []ingot.LifecycleResource
	for _, row := range w.rows(image.OutputResources) {
		if before, ok := known[rowKey(row)]; ok {
			row = before
		}
		if row.State.Status == model.LifecycleExecutionResourceStatusInProgress {
			if row, err = r.actOnOutput(ctx, w, row); err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// outputs are the rows that the image's outputs have.
func (r *Runner) outputs(ctx context.Context, w work) (map[string]ingot.LifecycleResource, error) {
	rows := map[string]ingot.LifecycleResource{}
	for after := ""; ; {
		list, next, err := r.Store.LifecycleResources(ctx, w.execution.LifecycleExecutionId, w.image, after, batch)
		if err != nil {
			return nil, err
		}
		for _, row := range list {
			rows[rowKey(row)] = row
		}
		if after = next; after == "" {
			return rows, nil
		}
	}
}

func rowKey(r ingot.LifecycleResource) string { return r.Region + " " + r.ResourceId }

// rows are those of the outputs that the action includes, before anything is
// done to them.
func (w work) rows(out *model.OutputResources) (rows []ingot.LifecycleResource) {
	row := func(region, account, id string) ingot.LifecycleResource {
		return ingot.LifecycleResource{Parent: w.image.String(), LifecycleExecutionResource: model.LifecycleExecutionResource{
			AccountId: account, Region: region, ResourceId: id,
			Action: &model.LifecycleExecutionResourceAction{Name: w.action},
			State:  &model.LifecycleExecutionResourceState{Status: model.LifecycleExecutionResourceStatusInProgress},
		}}
	}
	if w.includes().AMIs {
		for _, a := range out.Amis {
			if a.Image != "" { // else it could not be delivered
				rows = append(rows, row(a.Region, cmp.Or(a.AccountId, w.image.Account), a.Image))
			}
		}
	}
	if w.includes().Containers {
		for _, c := range out.Containers {
			for _, uri := range c.ImageUris {
				rows = append(rows, row(c.Region, w.image.Account, uri))
			}
		}
	}
	return rows
}

// actOnOutput deals with one output and saves its row, also before the effect:
// who goes on after a crash finds there what was to be removed.
func (r *Runner) actOnOutput(ctx context.Context, w work, row ingot.LifecycleResource) (ingot.LifecycleResource, error) {
	if row.StartTime == nil {
		row.StartTime = new(model.EpochOf(r.Now()))
	}
	verdict, ami, err := r.judge(ctx, w, row)
	if err != nil {
		return row, err
	}
	if verdict.acts() {
		if ami != nil && w.includes().Snapshots {
			row.Snapshots = []model.LifecycleExecutionSnapshotResource{{
				SnapshotId: ami.Snapshot, State: &model.LifecycleExecutionResourceState{Status: row.State.Status},
			}}
		}
		if err := r.save(ctx, w, row); err != nil {
			return row, err
		}
		if verdict, err = r.act(ctx, w, &row, ami); err != nil {
			return row, err
		}
	}
	row.Excluded = verdict.excluded
	row.End(verdict.status, verdict.reason, r.Now())
	return row, r.save(ctx, w, row)
}

func (r *Runner) save(ctx context.Context, w work, row ingot.LifecycleResource) error {
	return r.Store.Write(ctx, func(tx ingot.Tx) error {
		return tx.PutLifecycleResource(ctx, w.execution.LifecycleExecutionId, row)
	})
}
