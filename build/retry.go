package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

// resumption is what a retry goes on from: the stage, and what the workflows of
// earlier stages have made. From a step, it is also the keys of workflows of the
// stage that are not run again, and where the one that failed goes on. Source:
// api.md §3.7, distribution.md §11.
type resumption struct {
	Stage   model.ImageStatus `json:"stage"`
	Image   string            `json:"image"`   // AMI
	Outputs map[string]any    `json:"outputs"` // $.workflowOutputs
	Done    []string          `json:"done,omitempty"`
	From    *takenUp          `json:"from,omitempty"`
}

// stageIndex is the place of a stage among those that have workflows.
func stageIndex(stage model.ImageStatus) int {
	switch stage {
	case model.ImageStatusBuilding:
		return 0
	case model.ImageStatusTesting:
		return 1
	}
	return 2 // DISTRIBUTING, and INTEGRATING at its end
}

// retake takes up the plan of the first run, and reads what came of the stages
// that are over off the records of their executions.
func (b *Builder) retake(ctx context.Context, req request, out *placed) (model.ImageStatus, error) {
	arn, err := ingot.ParseARN(req.Image)
	if err != nil {
		return "", err
	}
	record, err := b.Records.Get(ctx, arn)
	if err != nil {
		return "", err
	}
	stage := model.ImageStatus(record.Status)
	if out.Plan, err = b.readPlan(req.Image); err != nil {
		return stage, err
	}
	r := &resumption{Stage: stage, Image: out.Plan.Parent.ID, Outputs: map[string]any{}}
	out.Resume = r
	failed, from := ingot.ImageFrom(record)
	for _, s := range out.Plan.Workflows {
		d, err := b.readDocument(ctx, s, out)
		if err != nil {
			return stage, err
		}
		over := stageIndex(stageOf[s.Type]) < stageIndex(stage)
		if !over && failed != "" {
			if over, err = b.passed(ctx, req, s); err != nil {
				return stage, err
			}
			if over {
				r.Done = append(r.Done, s.Key)
			}
		}
		if over {
			if err := b.recover(ctx, req, s, d, r); err != nil {
				return stage, fmt.Errorf("reading what workflow %s has made: %w", s.ARN, err)
			}
		}
		if s.wasExecution(req, failed) {
			if r.From, err = b.readFrom(ctx, s, failed, from); err != nil {
				return stage, err
			}
		}
	}
	if failed != "" && r.From == nil {
		return stage, fmt.Errorf("the workflow execution %s to go on from is none of the plan's", failed)
	}
	return stage, nil
}

func (b *Builder) readPlan(image string) (p plan, err error) {
	data, err := os.ReadFile(filepath.Join(b.dir(image), planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return p, ingot.Errorf(ingot.CodeNotFound, "the plan of the first build of %s is gone with its folder; build the image again", image)
	}
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, fmt.Errorf("reading the plan of %s: %w", image, err)
	}
	return p, nil
}

// readDocument makes sure that a document is what the plan was made of.
func (b *Builder) readDocument(ctx context.Context, s scheduled, out *placed) (*workflow.Document, error) {
	arn, err := ingot.ParseARN(s.ARN)
	if err != nil {
		return nil, err
	}
	record, err := b.Records.Get(ctx, arn)
	if err != nil {
		return nil, err
	}
	found, err := ingot.Decode[ingot.Workflow](record)
	if err != nil {
		return nil, err
	}
	if digest([]byte(found.Data)) != s.Digest {
		return nil, fmt.Errorf("the document of workflow %s is not the one that the build began with", s.ARN)
	}
	out.Documents[s.Digest] = found.Data
	return s.parse(found.Data)
}

// recover reads the outputs of a workflow off the steps of its last execution.
func (b *Builder) recover(ctx context.Context, req request, s scheduled, d *workflow.Document, r *resumption) error {
	steps, err := b.completedSteps(ctx, req, s)
	if err != nil || steps == nil {
		return err
	}
	v := workflow.Values{StepOutputs: map[string]any{}, WorkflowOutputs: r.Outputs}
	if v.Parameters, err = workflow.Typed(d.Parameters, s.Parameters); err != nil {
		return err
	}
	for _, step := range steps {
		outputs, err := outputsOf(step)
		if err != nil {
			return err
		}
		if outputs == nil {
			continue
		}
		v.StepOutputs[step.Name] = outputs
		if id, ok := outputs["imageId"].(string); ok && s.Type == model.WorkflowTypeBuild {
			r.Image = id
		}
	}
	results, err := v.Results(d)
	maps.Copy(r.Outputs, results)
	return err
}

// completedSteps are those of the last execution of a workflow that came to its
// end, in order; nil when none did.
func (b *Builder) completedSteps(ctx context.Context, req request, s scheduled) ([]ingot.StepExecution, error) {
	for run := req.Run - 1; run >= 1; run-- {
		e, err := b.Records.WorkflowExecution(ctx, executionID(req.Image, s.Key, run))
		switch {
		case err != nil && ingot.ErrorCode(err) != ingot.CodeNotFound:
			return nil, err
		case err == nil && e.Status == model.WorkflowExecutionStatusCompleted:
			return b.stepsOf(ctx, e.WorkflowExecutionId)
		}
	}
	return nil, nil
}
