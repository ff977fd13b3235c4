// Package build makes one image: a durable function of four stages.
//
//	place       components, workflows and parent become exact builds  CREATING
//	build       the BUILD workflow: from an instance to an AMI         BUILDING
//	test        groups of TEST workflows, beside them the boot check   TESTING
//	distribute  the DISTRIBUTION workflow or the configuration         DISTRIBUTING, AVAILABLE
//
// The durable function reads from top to bottom as one build (image.go). It
// walks through the documents of its workflows (walk.go); a step of a document
// is a step of the engine (task.go) whose work is in the file of its action
// (action_*.go). What a step makes is named after image, execution, step and
// attempt (names.go), written down first (made.go) and looked for before it is
// made, so any step may be cut off and repeated. The API sees a step in the
// store before its work begins (progress.go). The whole log of a build is lines
// of JSON (log.go, follow.go).
package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/flow"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
)

// BootChecker boots an image that is not registered yet in a virtual machine
// through its own firmware path and loader, until its agent answers or the
// check has failed. id names the instance it uses, of which nothing stays;
// console is its serial console's text, also on failure.
type BootChecker interface {
	CheckBoot(ctx context.Context, id string, ami ingot.AMI) (console string, err error)
}

// Registry is an engine at which a Builder registers what it runs.
type Registry interface {
	flow.Engine
	Function(name string, f flow.Function)
	Action(name string, a flow.Action)
}

// Config is a Builder's surroundings. All fields are required but those with a default.
type Config struct {
	Records   Records
	Engine    Registry
	Drivers   map[string]compute.Driver // by kind
	Regions   *region.Set
	Boot      BootChecker   // nil: no boot checks; the step says so and is skipped
	Dir       string        // a folder for each build, by ID, with its work files and logs
	Instances string        // a folder for each instance, by its id: the drivers' own
	Scopes    []ingot.Scope // whose images Resume looks for
	BuildKind string        // container, qemu, or auto (the default): container where the host can, else qemu
	TestKind  string        // container, qemu, or auto (the default): qemu where KVM works
	Limits    Limits        // of builds at work at a time; others are PENDING
	Now       func() time.Time
	Log       *slog.Logger

	// Logs names the logs of images after their groups. Nil: they have no names.
	Logs *logs.Store
	// Outbox sends logs of components to the object store. Nil: they stay in the
	// build's folder.
	Outbox Outbox
	// Trusts says whether an account takes images of another one. Nil: none does.
	Trusts func(ctx context.Context, account, source string) (bool, error)
	// StateMachine stands in for the state machines that ExecuteStateMachine
	// names. Nil: such a step fails.
	StateMachine StateMachine
	// HasFunction says whether something stands in for a function that
	// WaitForAction calls; nil: for none.
	HasFunction func(name string) bool
	// Observe is told of each part of a build that has ended. It must not wait.
	// Nil: nobody is told.
	Observe func(Part)
}

// Builder starts, cancels and resumes builds of images.
type Builder struct {
	Config
	slots      *slots
	attendance *attendance
	statuses   statuses
	changes    changes // of workflow executions
}

// The durable function and the actions beside the steps of workflows.
const (
	function         = "image@1" // the version changes with the calls of Builder.image
	actionPlace      = "Place"
	actionClock      = "Clock"
	actionSettle     = "Settle"
	actionRollback   = "Rollback"
	actionWait       = "WaitForAction"
	actionAnswer     = "Answer"
	actionSkipTests  = "SkipTests"
	actionDistribute = "Distribute"
	actionDeliver    = "Deliver"
	actionComplete   = "Complete"
	actionTakeUp     = "TakeUp"
	actionFinish     = "Finish"
)

// New registers the build function and its actions with the engine, which must
// not be open yet.
func New(c Config) *Builder {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Limits = c.Limits.orHost()
	b := &Builder{Config: c, attendance: newAttendance(), statuses: statuses{of: map[string]model.ImageStatus{}}}
	b.slots = newSlots(c.Limits, b.ticket)
	c.Engine.Function(function, b.image)
	c.Engine.Action(actionPlace, action(b.place))
	c.Engine.Action(actionClock, action(b.clock))
	c.Engine.Action(actionSettle, action(b.settle))
	c.Engine.Action(actionRollback, action(b.rollBack))
	c.Engine.Action(actionWait, action(b.beginWait))
	c.Engine.Action(actionAnswer, action(b.readAnswer))
	c.Engine.Action(actionSkipTests, action(b.skipTests))
	c.Engine.Action(actionDistribute, action(b.distribute))
	c.Engine.Action(actionDeliver, action(b.deliver))
	c.Engine.Action(actionComplete, action(b.complete))
	c.Engine.Action(actionTakeUp, action(b.takeUp))
	c.Engine.Action(actionFinish, action(b.finish))
	for name, do := range stepActions {
		c.Engine.Action(name, action(b.perform(do)))
	}
	for name, why := range unbuilt {
		c.Engine.Action(name, action(b.perform(refuse(name, why))))
	}
	return b
}

// action gives a function of typed values the form of an action.
func action[In, Out any](f func(context.Context, In) (Out, error)) flow.Action {
	return func(ctx context.Context, in json.RawMessage) (any, error) {
		var v In
		if err := json.Unmarshal(in, &v); err != nil {
			return nil, fmt.Errorf("reading the input of a step: %w", err)
		}
		return f(ctx, v)
	}
}

// runOf is the run of an image: the first, or one of its retries.
func (b *Builder) runOf(ctx context.Context, image ingot.ARN) (request, error) {
	record, err := b.Records.Get(ctx, image)
	if err != nil {
		return request{}, err
	}
	return request{Image: image.String(), Run: ingot.ImageRun(record)}, nil
}

// id is that of the run in the engine.
func (r request) id() string {
	if r.Run == 1 {
		return r.Image
	}
	return fmt.Sprintf("%s#%d", r.Image, r.Run)
}

// StartImage begins the build of a PENDING image, or its retry. It is idempotent.
func (b *Builder) StartImage(ctx context.Context, image ingot.ARN) error {
	run, err := b.runOf(ctx, image)
	if err != nil {
		return err
	}
	return b.Engine.Start(ctx, run.id(), function, run)
}

// CancelImage ends the build of an image: its instances go, and it becomes
// CANCELLED. It is idempotent, and does nothing to an image that is finished.
func (b *Builder) CancelImage(ctx context.Context, image ingot.ARN) error {
	run, err := b.runOf(ctx, image)
	if err != nil {
		return err
	}
	if err := b.Engine.Start(ctx, run.id(), function, run); err != nil { // one that was not begun is cancelled as it begins
		return err
	}
	return b.Engine.Cancel(ctx, run.id())
}

// Resume brings builds and records together after the engine was opened: it
// starts builds that were asked for and not begun, cancels those marked for it,
// and ends images whose build is over without them. Before it, no build goes on.
func (b *Builder) Resume(ctx context.Context) error {
	images, err := b.open(ctx)
	if err != nil {
		return err
	}
	if err := b.queue(images); err != nil {
		return err
	}
	var errs []error
	for _, image := range images {
		if err := b.resume(ctx, image); err != nil {
			errs = append(errs, fmt.Errorf("resuming the build of %s: %w", image.ARN, err))
		}
	}
	return errors.Join(errs...)
}

// queue lets builds begin, in their order.
func (b *Builder) queue(images []ingot.Record) error {
	for _, image := range images {
		t, err := ticketOf(image)
		if err != nil {
			return err
		}
		b.slots.enlist(t, 0)
		b.statuses.set(t.image, model.ImageStatus(image.Status))
	}
	b.slots.open()
	return nil
}

func (b *Builder) resume(ctx context.Context, image ingot.Record) error {
	run := request{Image: image.ARN.String(), Run: ingot.ImageRun(image)}
	if err := b.Engine.Start(ctx, run.id(), function, run); err != nil {
		return err
	}
	if len(image.Attributes[ingot.FilterCancel]) > 0 {
		if err := b.Engine.Cancel(ctx, run.id()); err != nil {
			return err
		}
	}
	over, ending := b.Engine.Result(ctx, run.id())
	if !over && errors.Is(ending, flow.ErrStopped) {
		if err := b.Engine.Cancel(ctx, run.id()); err != nil { // ends it at once
			return err
		}
		over, ending = true, fmt.Errorf("this version of the server cannot go on with it; ask for the image again: %w", ending)
	}
	record, err := b.Records.Get(ctx, image.ARN)
	if over || err == nil && isOver(record.Status) {
		defer b.slots.give(image.ARN.String()) // its end may have been before it was queued
		defer b.statuses.forget(image.ARN.String())
	}
	if !over {
		return errors.Join(ending, err, b.rejoin(ctx, image.ARN))
	}
	if err != nil || isOver(record.Status) { // it ended since the images were listed
		return err
	}
	reason := "the build ended without an image"
	if ending != nil {
		reason += ": " + ending.Error()
	}
	return b.tryFinish(ctx, conclusion{Image: image.ARN.String(), Run: run.Run, Asked: run.asked(image), Built: run.Run > 1 && image.Status != string(model.ImageStatusBuilding), Failure: failure{Reason: reason}})
}

// mustID is ID of a text that is known to be an ARN: a build has it from its record.
func mustID(image string) string {
	arn, err := ingot.ParseARN(image)
	if err != nil {
		panic(fmt.Sprintf("build: %q is not an ARN: %v", image, err))
	}
	return ID(arn)
}
