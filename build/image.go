package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"ingot.dev/ingot/flow"
)

// The workflows of a build; the managed documents build-image and test-image.
const (
	workflowBuild = "build"
	workflowTest  = "test"
)

// maxAttempts is how often a workflow is begun with a fresh instance because
// the one before was lost: the host was restarted, or something killed it.
const maxAttempts = 3

// request is the input of the durable function.
type request struct {
	Image string `json:"image"` // ARN of the image build version
}

// task is the input of a step.
type task struct {
	Plan     plan     `json:"plan"`
	Attempt  int      `json:"attempt"`
	Instance launched `json:"instance"` // of this attempt
	Output   output   `json:"output"`   // of the build workflow
}

// image builds one image. It is the durable function: all it does are steps.
func (b *Builder) image(ctx flow.Context, in json.RawMessage) error {
	var req request
	if err := json.Unmarshal(in, &req); err != nil {
		return fmt.Errorf("reading the request of a build: %w", err)
	}
	made, err := b.produce(ctx, req)
	return ctx.Detached(func(ctx flow.Context) error {
		return ctx.Step(actionFinish, "", conclude(req, made, err), nil)
	})
}

// produce takes an image from PENDING to AVAILABLE. What it made so far comes
// with an error, too.
func (b *Builder) produce(ctx flow.Context, req request) (task, error) {
	var t task
	if err := ctx.Step(actionPlace, "", req, &t.Plan); err != nil {
		return t, err
	}
	t, err := again(t, func(t task) (task, error) { return b.build(ctx, t) })
	if err != nil {
		return t, err
	}
	if t.Plan.Tests {
		if err := b.test(ctx, t); err != nil {
			return t, err
		}
	}
	return t, ctx.Step(actionDistribute, "", t, nil)
}

// again begins a workflow with a fresh instance as long as its instance is
// lost, and gives up after maxAttempts.
func again(t task, workflow func(task) (task, error)) (task, error) {
	for t.Attempt = 1; ; t.Attempt++ {
		done, err := workflow(t)
		if !isLost(err) || t.Attempt == maxAttempts {
			return done, err
		}
	}
}

// build is the workflow build-image.
func (b *Builder) build(ctx flow.Context, t task) (task, error) {
	if err := ctx.Step(t.name(stepLaunchBuild), "", t, &t.Instance); err != nil {
		return t, err
	}
	for _, step := range []string{stepApplyBuild, stepInventory, stepSanitize} {
		if err := ctx.Step(t.name(step), "", t, nil); err != nil {
			return t, err
		}
	}
	if err := ctx.Step(t.name(stepCreateImage), "", t, &t.Output); err != nil {
		return t, err
	}
	return t, proceed(ctx.Step(t.name(stepTerminateBuild), "", t, nil))
}

// test is the workflow test-image, with the boot check beside its steps.
func (b *Builder) test(ctx flow.Context, t task) error {
	return ctx.Group(
		func(ctx flow.Context) error {
			return ctx.Step(task{Attempt: 1}.name(stepCheckBoot), "", t, nil)
		},
		func(ctx flow.Context) error {
			_, err := again(t, func(t task) (task, error) { return t, b.runTests(ctx, t) })
			return err
		})
}

func (b *Builder) runTests(ctx flow.Context, t task) error {
	if err := ctx.Step(t.name(stepLaunchTest), "", t, &t.Instance); err != nil {
		return err
	}
	if err := ctx.Step(t.name(stepApplyTest), "", t, nil); err != nil {
		return err
	}
	return proceed(ctx.Step(t.name(stepTerminateTest), "", t, nil))
}

// name is a step's name in the run: unique over the attempts.
func (t task) name(step string) string { return step + ":" + strconv.Itoa(t.Attempt) }

// proceed is onFailure: Continue. The failure is in the step's record; only
// the end of the run itself goes on as an error.
func proceed(err error) error {
	var failed *flow.Error
	if errors.As(err, &failed) {
		return nil
	}
	return err
}

// kindLost marks the failure of a step whose instance is gone through no fault
// of the recipe.
const kindLost = "instanceLost"

func isLost(err error) bool {
	var failed *flow.Error
	return errors.As(err, &failed) && failed.Kind == kindLost
}
