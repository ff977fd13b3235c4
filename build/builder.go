// Package build makes one image: a durable function of four stages.
//
//	place       the recipe's components and parent become exact builds   CREATING
//	build       an instance of the parent, components, clean-up, snapshot BUILDING
//	test        boot check beside the test phases on a fresh instance     TESTING
//	distribute  the snapshot becomes a registered AMI                     DISTRIBUTING, AVAILABLE
//
// Builder.image reads from top to bottom as one build; each of its steps is an
// action in the file of its name. What a step makes is named after image, step
// and attempt (names.go) and looked for before it is made, so any step may be
// cut off and repeated. The API sees a step in the store (progress.go) before
// its work begins; the whole log of a build is lines of JSON (log.go).
package build

import (
	"context"
	"log/slog"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/flow"
)

// Disks is what a build needs of the storage of its region; *disk.Store has it.
type Disks interface {
	Find(id disk.SnapshotID) (disk.Snapshot, error)
	Overlay(ctx context.Context, id disk.SnapshotID, path string, sizeBytes int64) error
	Snapshot(ctx context.Context, id, parent disk.SnapshotID, overlay string) (disk.Snapshot, error)
	Delete(ctx context.Context, id disk.SnapshotID) error
}

// BootChecker boots a snapshot in a virtual machine through its own firmware
// path and loader, until its agent answers or the check has failed. id names
// the instance it uses; console is its serial console's text, also on failure.
type BootChecker interface {
	CheckBoot(ctx context.Context, id string, ami ingot.AMI) (console string, err error)
}

// Registry is where a Builder registers its durable function and its actions;
// *journal.Engine is one.
type Registry interface {
	flow.Engine
	Function(name string, f flow.Function)
	Action(name string, a flow.Action)
}

// Config is a Builder's surroundings. All fields are required but those with a default.
type Config struct {
	Records Records
	Engine  Registry
	Drivers map[string]compute.Driver // by kind
	Disks   func(region string) (Disks, error)
	Boot    BootChecker // nil: no boot checks; the step says so and is skipped
	Dir     string      // builds: a folder for each, with its work files and logs
	// Instances is where disks of instances live: a folder for each instance id.
	Instances string
	Scopes    []ingot.Scope // whose images Resume looks for
	BuildKind string        // where a recipe's infrastructure does not say; default container
	TestKind  string        // container, qemu, or auto: qemu where KVM works; default auto
	Now       func() time.Time
	Log       *slog.Logger
}

// Builder starts, cancels and resumes builds of images.
type Builder struct {
	Config
}

// New registers the build function and its actions with the engine, which must
// not be open yet.
func New(c Config) *Builder {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.BuildKind == "" {
		c.BuildKind = compute.KindContainer
	}
	return &Builder{Config: c}
}

// Start begins the build of a PENDING image. It is idempotent.
func (b *Builder) Start(ctx context.Context, arn ingot.ARN) error {
	return b.Engine.Start(ctx, arn.String(), function, request{ARN: arn.String()})
}

// Cancel ends the build of an image: its instances go and it becomes CANCELLED.
func (b *Builder) Cancel(ctx context.Context, arn ingot.ARN) error {
	return b.Engine.Cancel(ctx, arn.String())
}

// function is the name of the durable function that builds an image.
const function = "image"

// request is the input of the durable function.
type request struct {
	ARN string `json:"arn"`
}
