package lifecycle

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// Preview returns the rows that an execution of a policy would have if it ran
// now, each image before its outputs, and stores nothing. What would be acted
// on is IN_PROGRESS. Source: lifecycle.md §5.
func (r *Runner) Preview(ctx context.Context, policy ingot.Record) ([]ingot.LifecycleResource, error) {
	decisions, err := decide(ctx, r.Store, policy, r.Now())
	if err != nil {
		return nil, err
	}
	e := ingot.PlanLifecycleRun(policy.ARN, decisions, r.Now())
	var rows []ingot.LifecycleResource
	for _, d := range decisions {
		some, err := r.previewImage(ctx, e, ingot.NewLifecycleResource(d))
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func (r *Runner) previewImage(ctx context.Context, e ingot.LifecycleExecution, row ingot.LifecycleResource) ([]ingot.LifecycleResource, error) {
	arn, err := ingot.ParseARN(row.ResourceId)
	if err != nil {
		return nil, err
	}
	image, err := findImage(ctx, r.Store, arn)
	if err != nil || image == nil || image.OutputResources == nil {
		return []ingot.LifecycleResource{row}, err
	}
	w := work{e, row.Action.Name, arn}
	outputs := w.rows(image.OutputResources)
	for i, output := range outputs {
		v, ami, err := r.judge(ctx, w, output)
		if err != nil {
			return nil, err
		}
		if v.acts() && ami == nil {
			v = done // it is gone
		}
		outputs[i].Excluded = v.excluded
		outputs[i].State = &model.LifecycleExecutionResourceState{Status: v.status, Reason: v.reason}
	}
	row.State = ingot.JudgeOutputs(row.Action.Name, outputs)
	return append([]ingot.LifecycleResource{row}, outputs...), nil
}
