package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

// request is the input of the durable function.
type request struct {
	Image string `json:"image"` // ARN of the image build version
	Run   int    `json:"run"`   // from 1; one more with each retry
}

// image builds one image. It is the durable function: all it does are steps.
func (b *Builder) image(ctx flow.Context, in json.RawMessage) error {
	var req request
	if err := json.Unmarshal(in, &req); err != nil {
		return fmt.Errorf("reading the request of a build: %w", err)
	}
	p := production{request: req}
	err := p.run(ctx)
	return ctx.Detached(func(ctx flow.Context) error {
		return ctx.Step(actionFinish, "", p.conclude(err), nil)
	})
}

// production takes an image from PENDING to AVAILABLE. Its fields are what the
// steps so far have made.
type production struct {
	request
	placed
	outputs   map[string]any // $.workflowOutputs
	ami       string         // that the BUILD workflow made
	built     bool           // the BUILD stage is over
	documents map[string]*workflow.Document
}

func (p *production) run(ctx flow.Context) error {
	if err := ctx.Step(actionPlace, "", p.request, &p.placed); err != nil {
		return err
	}
	if err := p.open(); err != nil {
		return err
	}
	stages := []func(flow.Context) error{p.build, p.test, p.distribute}
	if r := p.Resume; r != nil {
		first := stageIndex(r.Stage)
		p.built, p.ami, p.outputs, stages = first > 0, r.Image, r.Outputs, stages[first:]
	}
	for _, stage := range stages {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open reads the documents of the plan.
func (p *production) open() error {
	p.outputs, p.ami, p.documents = map[string]any{}, p.Plan.Parent.ID, map[string]*workflow.Document{}
	for _, s := range p.Plan.Workflows {
		d, err := s.parse(p.Documents[s.Digest])
		if err != nil {
			return err
		}
		p.documents[s.Digest] = d
	}
	return nil
}

// build runs the BUILD workflow. Without one, the parent is what is tested and
// distributed. Source: workflows.md §1.1.
func (p *production) build(ctx flow.Context) error {
	for _, s := range p.Plan.stage(model.WorkflowTypeBuild) {
		out, err := p.workflow(ctx, s, p.outputs)
		if err != nil {
			return err
		}
		p.take(out)
		p.ami = out.image
	}
	p.built = true
	return nil
}

// test runs the groups of TEST workflows one after another. The boot check
// goes on beside them: a container shares the host's kernel and never sees the
// image's loader. When one fails the other is cancelled.
func (p *production) test(ctx flow.Context) error {
	list := p.Plan.stage(model.WorkflowTypeTest)
	if len(list) > 0 && !p.Plan.Tests {
		return ctx.Step(actionSkipTests, "", task{Plan: p.Plan, Run: p.Run}, nil)
	}
	beside := func(s scheduled) bool { return s.Beside }
	outputs := p.outputs
	var branches []func(flow.Context) error
	for i := slices.IndexFunc(list, beside); i >= 0; i = -1 {
		branches = append(branches, func(ctx flow.Context) error {
			_, err := p.workflow(ctx, list[i], outputs)
			return err
		})
	}
	groups := workflow.Groups(slices.DeleteFunc(slices.Clone(list), beside), func(s scheduled) string { return s.Group })
	branches = append(branches, func(ctx flow.Context) error {
		for _, group := range groups {
			if err := p.group(ctx, group); err != nil {
				return err
			}
		}
		return nil
	})
	return ctx.Group(branches...)
}

// group runs the workflows of one group side by side. One that fails does not
// end the others; unless it says CONTINUE it fails the image when all have
// ended. Source: workflows.md §9.
func (p *production) group(ctx flow.Context, group []scheduled) error {
	done, errs := make([]outcome, len(group)), make([]error, len(group))
	var branches []func(flow.Context) error
	for i, s := range group {
		branches = append(branches, func(ctx flow.Context) error {
			done[i], errs[i] = p.workflow(ctx, s, p.outputs)
			if failureOf(errs[i]) != nil {
				return nil
			}
			return errs[i]
		})
	}
	if err := ctx.Group(branches...); err != nil {
		return err
	}
	for i, s := range group {
		if errs[i] != nil && s.OnFailure != model.OnWorkflowFailureContinue && kindOf(errs[i]) != kindNotStarted {
			return errs[i]
		}
	}
	for _, out := range done {
		p.take(out)
	}
	return nil
}

// distribute runs the DISTRIBUTION workflow, or else the distribution
// configuration. Source: workflows.md §1.1.
func (p *production) distribute(ctx flow.Context) error {
	t := task{Plan: p.Plan, Run: p.Run, Attempt: 1, Image: p.ami}
	list := p.Plan.stage(model.WorkflowTypeDistribution) // one at most
	if len(list) == 0 {
		return ctx.Step(actionDistribute, "", t, nil)
	}
	if err := ctx.Step(actionDeliver, "", t, &p.ami); err != nil {
		return err
	}
	if _, err := p.workflow(ctx, list[0], p.outputs); err != nil {
		return err
	}
	return ctx.Step(actionComplete, "", t, nil)
}

// outcome is what a workflow made.
type outcome struct {
	outputs map[string]any
	image   string // AMI
}

// take adds to what later workflows see. Those that run have the map from before.
func (p *production) take(o outcome) {
	p.outputs = maps.Clone(p.outputs)
	maps.Copy(p.outputs, o.outputs)
}

// workflow runs a workflow, which sees the outputs of earlier ones. It is
// begun again with fresh instances as long as they are lost, maxAttempts in all.
func (p *production) workflow(ctx flow.Context, s scheduled, outputs map[string]any) (outcome, error) {
	if p.Resume.isDone(s) {
		return outcome{}, nil // what it made is among the outputs
	}
	for attempt := 1; ; attempt++ {
		w, err := p.walk(ctx, s, attempt)
		if err != nil {
			return outcome{}, err
		}
		w.values.WorkflowOutputs = outputs
		if attempt == 1 && p.Resume.goesOnIn(s) {
			if err := w.goOn(*p.Resume.From); err != nil {
				return outcome{}, err
			}
		}
		if err = w.run(); err == nil {
			results, err := w.values.Results(w.document)
			return outcome{results, w.image}, err
		}
		if !isLost(err) || attempt == maxAttempts {
			return outcome{}, err
		}
	}
}

// walk prepares an attempt at a workflow.
func (p *production) walk(ctx flow.Context, s scheduled, attempt int) (*walk, error) {
	d := p.documents[s.Digest]
	parameters, err := workflow.Typed(d.Parameters, s.Parameters)
	if err != nil {
		return nil, fmt.Errorf("workflow %s: %w", s.ARN, err)
	}
	w := &walk{
		ctx: ctx, document: d,
		task: task{Plan: p.Plan, Workflow: s, Run: p.Run, Attempt: attempt, Image: p.ami},
		values: workflow.Values{
			Parameters: parameters, StepOutputs: map[string]any{}, ImageBuilder: p.Plan.variables(s.Type),
		},
	}
	if !s.Clock {
		return w, nil
	}
	var now string
	err = ctx.Step(fmt.Sprintf("%s:%s/%d", actionClock, s.Key, attempt), "", nil, &now)
	w.values.ImageBuilder["datetime"] = now
	return w, err
}

// conclude reads the outcome off the error that ended a build.
func (p *production) conclude(err error) conclusion {
	c := conclusion{Image: p.Image, Run: p.Run, Asked: p.Asked, OK: err == nil, Built: p.built, Keep: p.Plan.KeepOnFailure}
	failed := failureOf(err)
	switch {
	case err == nil:
	case errors.Is(err, flow.ErrCancelled):
		c.Cancelled = true
	case failed != nil && len(failed.Detail) > 0 && failed.Kind != kindPanicked:
		if json.Unmarshal(failed.Detail, &c.Failure) != nil {
			c.Failure.Reason = failed.Message
		}
	default:
		c.Failure.Reason = err.Error()
	}
	return c
}
