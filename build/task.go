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
	"ingot.dev/ingot/workflow"
)

// task is the input of a step.
type task struct {
	Plan     plan      `json:"plan"`
	Workflow scheduled `json:"workflow"`
	Run      int       `json:"run"`             // of the image, from 1; one more with each retry
	Attempt  int       `json:"attempt"`         // of the workflow, from 1; one more each time its instances were lost
	Image    string    `json:"image,omitempty"` // AMI that the BUILD workflow made, or the parent without one
	Step     stepTask  `json:"step"`
}

// stepTask is what the document says of the step, with its inputs resolved.
type stepTask struct {
	outline
	Attempt int            `json:"attempt"`
	Timeout time.Duration  `json:"timeout"` // what is left of the attempt's
	Inputs  map[string]any `json:"inputs"`
}

// outline is a step as the API shows it before it has begun.
type outline struct {
	Name        string        `json:"name"`
	Action      string        `json:"action"`
	Description string        `json:"description,omitempty"`
	OnFailure   string        `json:"onFailure"`
	Limit       time.Duration `json:"limit"` // of one attempt
	MaxAttempts int           `json:"maxAttempts"`
}

func outlineOf(s workflow.Step) outline {
	return outline{
		Name: s.Name, Action: s.Action.Name, Description: s.Description, OnFailure: s.OnFailure,
		Limit: s.Timeout, MaxAttempts: s.Retry.MaxAttempts,
	}
}

// stepResult is the output of a step.
type stepResult struct {
	Outputs map[string]any `json:"outputs,omitempty"`
}

// work is a step in progress.
type work struct {
	*Builder
	task
	Instance product // that the input instanceId names
	image    ingot.ARN
	log      *logWriter
	begun    time.Time // the attempt, by this server
	phases   phaseClock
}

// skipped is returned by an action that has nothing to do.
type skipped struct{ reason string }

func (s skipped) Error() string { return s.reason }

// perform is the flow action of a step action: record, do, record.
func (b *Builder) perform(do stepAction) func(context.Context, task) (stepResult, error) {
	return func(ctx context.Context, t task) (stepResult, error) {
		w, err := b.enter(ctx, t)
		if err != nil {
			return stepResult{}, err
		}
		out, err := w.run(ctx, do)
		return out, errors.Join(err, w.leave())
	}
}

// enter takes what every action of a step needs: the build's slot and its log.
// It removes what an attempt of the workflow made whose instances were lost.
func (b *Builder) enter(ctx context.Context, t task) (*work, error) {
	w := &work{Builder: b, task: t}
	var err error
	if w.image, err = ingot.ParseARN(t.Plan.Image); err != nil {
		return nil, err
	}
	b.attendance.come(t.Plan.Image) // first: from here on the build does not only wait
	if err := w.equip(ctx); err != nil {
		w.depart()
		return nil, err
	}
	return w, nil
}

func (w *work) equip(ctx context.Context) (err error) {
	if err := w.slots.take(ctx, w.Plan.Image); err != nil {
		return err
	}
	if w.Attempt > 1 {
		lost := func(p product) bool { return p.Execution == w.execution() && p.Attempt < w.Attempt }
		if err := w.discard(ctx, w.Plan.Image, lost); err != nil {
			return err
		}
	}
	w.log, err = openLog(w.dir(w.Plan.Image), w.Step.Name, w.Now)
	return err
}

// leave gives back what enter took.
func (w *work) leave() error {
	w.depart()
	return w.log.Close()
}

// depart gives the slot back when the build does nothing but wait for
// somebody's action.
func (w *work) depart() {
	if w.attendance.leave(w.Plan.Image) {
		w.slots.give(w.Plan.Image)
	}
}

func (w *work) run(ctx context.Context, do stepAction) (stepResult, error) {
	if err := w.begin(ctx); err != nil {
		return stepResult{}, err
	}
	w.log.note("%s began", w.Step.Name)
	limited, cancel := context.WithTimeoutCause(ctx, w.Step.Timeout, errTimedOut)
	defer cancel()
	if w.Step.Action != "TerminateInstance" { // those that make room are never ended for want of it
		limited, cancel = whileRoom(limited, w.Dir)
		defer cancel()
	}
	out, err := w.act(limited, do)
	var full *fullError
	switch cause := context.Cause(limited); {
	case err == nil:
	case errors.Is(cause, errTimedOut):
		err = fmt.Errorf("%w: %w", errTimedOut, err)
	case errors.As(cause, &full):
		err = full
	}
	return w.conclude(ctx, out, err)
}

// act finds the instance that the step names, and does its work.
func (w *work) act(ctx context.Context, do stepAction) (map[string]any, error) {
	if id := w.text("instanceId"); id != "" {
		var err error
		if w.Instance, err = w.own(id); err != nil {
			return nil, err
		}
	}
	return do(w, ctx)
}

//lint:ignore ST1005 the words of the API, workflows.md §5.2
var errTimedOut = errors.New("Step timed out")

// text is an input as text; empty when it is absent.
func (w *work) text(input string) string {
	text, _ := workflow.Scalar(w.Step.Inputs[input]) // of what kind it is was checked
	return text
}

// conclude records how the step ended. An interrupted step has not ended.
func (w *work) conclude(ctx context.Context, outputs map[string]any, err error) (stepResult, error) {
	if err != nil && isInterrupted(ctx) {
		return stepResult{}, flow.ErrInterrupted
	}
	cancelled := err != nil && ctx.Err() != nil
	kept, stop := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer stop()
	e := ended{status: model.WorkflowStepExecutionStatusCompleted, outputs: outputs}
	var skip skipped
	switch {
	case errors.As(err, &skip):
		e.status, e.message, e.outputs, err = model.WorkflowStepExecutionStatusSkipped, skip.reason, nil, nil
	case cancelled:
		e.status, e.message = model.WorkflowStepExecutionStatusCancelled, "The image creation was cancelled"
	case err != nil:
		e.status, e.message, e.outputs = w.failedStatus(), err.Error(), w.errorOutputs(err)
		err = w.explain(err, w.kindOf(err))
	}
	w.log.note("%s: %s %s", w.Step.Name, e.status, e.message)
	return stepResult{Outputs: e.outputs}, errors.Join(err, w.end(kept, e))
}

// failedStatus is that of a failed attempt: the step goes on while it has more.
func (w *work) failedStatus() model.WorkflowStepExecutionStatus {
	if w.Step.Attempt < w.Step.MaxAttempts {
		return model.WorkflowStepExecutionStatusRunning
	}
	return model.WorkflowStepExecutionStatusFailed
}

// errorOutputs is what the API shows of a failure. Source: workflows.md §5.1.
func (w *work) errorOutputs(err error) map[string]any {
	outputs := map[string]any{"error": shorten(err.Error(), maxReason)}
	var failed *componentError
	if errors.As(err, &failed) {
		outputs["runCommandId"], outputs["output"] = w.commandID(), failed.result
	}
	return outputs
}

// recordTimeout bounds the write that ends a step after its context has ended.
const recordTimeout = 30 * time.Second

// kindOf tells the loss of an instance of this workflow from other failures.
func (w *work) kindOf(err error) string {
	var lost *lostError
	if !errors.As(err, &lost) || lost.by != w.execution() {
		return ""
	}
	w.log.note("The instance was lost (%s). Attempt %d of %d is over.", lost.reason, w.Attempt, maxAttempts)
	return kindLost
}

// explain attaches to an error what the image's state shall say of it.
func (t task) explain(err error, kind string) error {
	f := failure{
		Execution: t.execution(),
		Reason:    fmt.Sprintf("Workflow Execution ID: '%s' failed with reason: %s", t.execution(), err),
		Context: &model.FailureContext{
			ImageStatus:         stageOf[t.Workflow.Type],
			WorkflowExecutionId: t.execution(),
			WorkflowArn:         t.Workflow.ARN,
			StepExecutionId:     t.stepID(),
			FailedStep:          t.Step.Name,
		},
	}
	var failed *componentError
	if errors.As(err, &failed) {
		f.Context.ComponentFailure = failed.context()
	}
	if t.Workflow.Type == model.WorkflowTypeDistribution {
		f.Context.DistributionFailure = &model.DistributionFailure{ErrorMessage: shorten(err.Error(), maxReason)}
	}
	var undelivered *undeliveredError
	if errors.As(err, &undelivered) {
		f.Context.DistributionFailure = undelivered.failure
	}
	detail, encoding := json.Marshal(f)
	return errors.Join(&flow.Error{Kind: kind, Message: err.Error(), Detail: detail}, encoding)
}

// failure is what a failed step tells the end of the build.
type failure struct {
	Execution string                `json:"execution,omitempty"` // of the workflow
	Reason    string                `json:"reason"`
	Context   *model.FailureContext `json:"context,omitempty"`
}

// settlement is the outcome of a step that does no work: its condition does
// not hold, or its inputs cannot be resolved; or its begin before a pause.
type settlement struct {
	Task    task                              `json:"task"`
	Status  model.WorkflowStepExecutionStatus `json:"status"`
	Message string                            `json:"message,omitempty"`
}

// settle records a settlement. That of a failure is the step's error.
func (b *Builder) settle(ctx context.Context, s settlement) (_ any, err error) {
	w, err := b.enter(ctx, s.Task)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.leave()) }()
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	w.log.note("%s: %s %s", w.Step.Name, s.Status, s.Message)
	switch s.Status {
	case model.WorkflowStepExecutionStatusRunning:
		return nil, nil
	case model.WorkflowStepExecutionStatusFailed:
		failed := w.explain(errors.New(s.Message), kindUnresolved)
		outputs := map[string]any{"error": shorten(s.Message, maxReason)}
		return nil, errors.Join(failed, w.end(ctx, ended{status: s.Status, message: s.Message, outputs: outputs}))
	}
	return nil, w.end(ctx, ended{status: s.Status, message: s.Message})
}
