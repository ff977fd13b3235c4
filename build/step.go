package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/model"
)

// step is one step of a managed workflow. Source: workflows.md §6 to §8.
type step struct {
	workflow    string
	name        string // of the step and of the flow's action
	action      string // as the workflow document calls it
	description string
	timeout     time.Duration
	proceed     bool // onFailure: Continue
	do          func(*work, context.Context) (any, error)
}

// The names of the steps.
const (
	stepLaunchBuild    = "LaunchBuildInstance"
	stepApplyBuild     = "ApplyBuildComponents"
	stepInventory      = "InventoryCollection"
	stepSanitize       = "RunSanitizeScript"
	stepCreateImage    = "CreateOutputAMI"
	stepTerminateBuild = "TerminateBuildInstance"
	stepLaunchTest     = "LaunchTestInstance"
	stepApplyTest      = "ApplyTestComponents"
	stepTerminateTest  = "TerminateTestInstance"
	stepCheckBoot      = "CheckBoot"
)

// steps of both workflows in the order of their execution.
var steps = []step{
	{workflowBuild, stepLaunchBuild, "LaunchInstance", "Start an instance of the parent image", 75 * time.Minute, false, (*work).launch},
	{workflowBuild, stepApplyBuild, "ExecuteComponents", "Run the phases build and validate of the components", 720 * time.Minute, false, (*work).applyBuild},
	{workflowBuild, stepInventory, "CollectImageMetadata", "List the installed packages", 30 * time.Minute, false, (*work).inventory},
	{workflowBuild, stepSanitize, "SanitizeInstance", "Remove what must not be in an image", 60 * time.Minute, false, (*work).sanitize},
	{workflowBuild, stepCreateImage, "CreateImage", "Stop the instance and keep its disk", 720 * time.Minute, false, (*work).createImage},
	{workflowBuild, stepTerminateBuild, "TerminateInstance", "Remove the build instance", 30 * time.Minute, true, (*work).terminate},
	{workflowTest, stepLaunchTest, "LaunchInstance", "Start an instance of the new image", 75 * time.Minute, false, (*work).launch},
	{workflowTest, stepApplyTest, "ExecuteComponents", "Run the phase test of the components", 720 * time.Minute, false, (*work).applyTest},
	{workflowTest, stepTerminateTest, "TerminateInstance", "Remove the test instance", 30 * time.Minute, true, (*work).terminate},
	{workflowTest, stepCheckBoot, "CheckBoot", "Boot the new image through its own loader", 60 * time.Minute, false, (*work).checkBoot},
}

func stepsOf(workflow string) []step {
	var list []step
	for _, s := range steps {
		if s.workflow == workflow {
			list = append(list, s)
		}
	}
	return list
}

// work is a step in progress.
type work struct {
	*Builder
	task
	step   step
	image  ingot.ARN
	log    *logWriter
	inputs any // what the API shows of what the step was given
}

// reported is a step's outcome where the API shows more than the next steps need.
type reported struct {
	next  any // output of the flow's step
	shown any // outputs of the step execution
}

// skipped is returned by a step that has nothing to do.
type skipped struct{ reason string }

func (s skipped) Error() string { return s.reason }

// perform is the flow action of a step: record, do, record.
func (b *Builder) perform(s step) flow.Action {
	return func(ctx context.Context, in json.RawMessage) (any, error) {
		w := &work{Builder: b, step: s}
		if err := json.Unmarshal(in, &w.task); err != nil {
			return nil, fmt.Errorf("reading the input of step %s: %w", s.name, err)
		}
		var err error
		if w.image, err = ingot.ParseARN(w.Plan.Image); err != nil {
			return nil, err
		}
		return w.run(ctx)
	}
}

func (w *work) run(ctx context.Context) (any, error) {
	if err := w.slots.take(ctx, w.Plan.Image); err != nil {
		return nil, err
	}
	log, err := openLog(w.dir(w.Plan.Image), w.step.name, w.Now)
	if err != nil {
		return nil, err
	}
	w.log = log
	show := progress{w.Builder, w.image, w.step}
	if err := show.begin(ctx, w.Attempt); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	log.note("%s began", w.step.name)
	limited, cancel := context.WithTimeoutCause(ctx, w.step.timeout, errTimedOut)
	defer cancel()
	if !w.step.proceed { // those that make room are never ended for want of it
		limited, cancel = whileRoom(limited, w.Dir)
		defer cancel()
	}
	out, err := w.step.do(w, limited)
	var full *fullError
	switch cause := context.Cause(limited); {
	case err == nil:
	case errors.Is(cause, errTimedOut):
		err = fmt.Errorf("%w: %w", errTimedOut, err)
	case errors.As(cause, &full):
		err = full
	}
	out, err = w.conclude(ctx, show, out, err)
	return out, errors.Join(err, log.Close())
}

//lint:ignore ST1005 the words of the API, workflows.md §5.2
var errTimedOut = errors.New("Step timed out")

// conclude records how the step ended. An interrupted step has not ended.
func (w *work) conclude(ctx context.Context, show progress, out any, err error) (any, error) {
	if err != nil && errors.Is(context.Cause(ctx), flow.ErrInterrupted) {
		return nil, flow.ErrInterrupted
	}
	cancelled := err != nil && ctx.Err() != nil
	kept, stop := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer stop()
	e := ended{status: model.WorkflowStepExecutionStatusCompleted, inputs: w.inputs, outputs: out}
	if r, ok := out.(reported); ok {
		out, e.outputs = r.next, r.shown
	}
	var skip skipped
	switch {
	case errors.As(err, &skip):
		e.status, e.message, err = model.WorkflowStepExecutionStatusSkipped, skip.reason, nil
	case cancelled:
		e.status, e.message = model.WorkflowStepExecutionStatusCancelled, "The image creation was cancelled"
	case err != nil:
		e.status, e.message = model.WorkflowStepExecutionStatusFailed, err.Error()
		e.outputs = map[string]string{"error": shorten(err.Error(), maxReason)}
		err = w.explain(err)
	}
	w.log.note("%s: %s %s", w.step.name, e.status, e.message)
	return out, errors.Join(err, show.end(kept, e))
}

// recordTimeout bounds the write that ends a step after its context has ended.
const recordTimeout = 30 * time.Second

// explain attaches to an error what the image's state shall say of it.
func (w *work) explain(err error) error {
	f := failure{
		Step: w.step.name, Workflow: w.step.workflow, Attempt: w.Attempt,
		Reason: fmt.Sprintf("Workflow Execution ID: '%s' failed with reason: %s", executionID(w.Plan.Image, w.step.workflow), err),
		Context: &model.FailureContext{
			ImageStatus:         stageOf[w.step.workflow],
			WorkflowExecutionId: executionID(w.Plan.Image, w.step.workflow),
			WorkflowArn:         workflowARN(w.image, w.step.workflow),
			StepExecutionId:     stepID(w.Plan.Image, w.step.workflow, w.step.name),
			FailedStep:          w.step.name,
		},
	}
	var failed *componentError
	if errors.As(err, &failed) {
		f.Context.ComponentFailure = failed.context()
	}
	kind := ""
	var lost *lostError
	if errors.As(err, &lost) {
		kind = kindLost
		w.log.note("The instance was lost (%s). Attempt %d of %d is over.", lost.reason, w.Attempt, maxAttempts)
	}
	detail, encoding := json.Marshal(f)
	return errors.Join(&flow.Error{Kind: kind, Message: err.Error(), Detail: detail}, encoding)
}

// failure is what a failed step tells the end of the build.
type failure struct {
	Step     string                `json:"step,omitempty"`
	Workflow string                `json:"workflow,omitempty"`
	Attempt  int                   `json:"attempt,omitempty"`
	Reason   string                `json:"reason"`
	Context  *model.FailureContext `json:"context,omitempty"`
}
