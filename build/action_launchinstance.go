package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/workflow"
)

// launchInstance starts an instance of an AMI on a disk of its own, trying the
// instance types in order, and waits for its agent. Source: workflows.md §7.1.
func (w *work) launchInstance(ctx context.Context) (map[string]any, error) {
	if err := w.discardFormer(ctx); err != nil {
		return nil, err
	}
	source, err := w.sourceAMI(ctx)
	if err != nil {
		return nil, err
	}
	machines, err := w.machines(ctx)
	if err != nil {
		return nil, err
	}
	var inst compute.Instance
	var m machine
	err = w.timed(ctx, PartLaunch, "launch instance", func() (err error) {
		inst, m, err = w.start(ctx, source, machines)
		return err
	})
	if err != nil {
		return nil, err
	}
	w.log.note("Launched instance %s as %s", inst.ID(), m)
	if err := w.timed(ctx, PartBoot, "boot", func() error { return w.prepare(ctx, inst) }); err != nil {
		return nil, err
	}
	return map[string]any{"instanceId": inst.ID(), "instanceType": m.Type}, nil
}

// discardFormer removes the instance of a failed attempt at this step. Source:
// workflows.md §5.4.
func (w *work) discardFormer(ctx context.Context) error {
	return w.discard(ctx, w.Plan.Image, func(p product) bool {
		return p.is(isInstance) && p.Execution == w.execution() && p.Step == w.Step.Name && p.StepAttempt < w.Step.Attempt
	})
}

// sourceAMI is the AMI to launch: the one that the step names, in a BUILD
// workflow else the parent, in others what the BUILD workflow made.
func (w *work) sourceAMI(ctx context.Context) (ingot.AMI, error) {
	id := w.text("imageIdOverride")
	switch {
	case id != "":
	case w.Workflow.Type == model.WorkflowTypeBuild || w.Image == w.Plan.Parent.ID:
		return w.Plan.Parent, nil
	case w.Image == "":
		return ingot.AMI{}, errNoImage
	default:
		id = w.Image
	}
	ami, err := w.Records.FindAMI(ctx, w.image.Scope(), id)
	if err != nil {
		return ingot.AMI{}, fmt.Errorf("finding the AMI to launch: %w", err)
	}
	return ami, ami.CheckLaunch()
}

var errNoImage = errors.New("the BUILD workflow made no image: it needs a step with the action CreateImage or RegisterImage")

// machines are the instance types to try.
func (w *work) machines(ctx context.Context) ([]machine, error) {
	planned, kind := w.Plan.BuildMachines, w.DefaultBuildKind
	if w.Workflow.Type == model.WorkflowTypeTest {
		planned, kind = w.Plan.TestMachines, w.DefaultTestKind
	}
	types, _ := workflow.Strings(w.Step.Inputs["instanceTypesOverride"])
	if len(types) == 0 {
		return planned, nil
	}
	k, err := kind(ctx)
	if err != nil {
		return nil, err
	}
	return w.parseMachines(types, k)
}

// start makes the disk and launches the first type that there is room for.
func (w *work) start(ctx context.Context, source ingot.AMI, machines []machine) (compute.Instance, machine, error) {
	p := w.product(w.instanceID())
	p.Source, p.Snapshot = source.ID, source.Snapshot
	if err := w.remember(w.Plan.Image, p); err != nil {
		return nil, machine{}, err
	}
	local, err := w.Regions.Region(w.image.Region)
	if err != nil {
		return nil, machine{}, err
	}
	overlay := w.overlay(p.ID)
	if err := os.MkdirAll(filepath.Dir(overlay), 0o700); err != nil {
		return nil, machine{}, fmt.Errorf("making the disk of %s: %w", p.ID, err)
	}
	size := int64(0)
	if w.Workflow.Type == model.WorkflowTypeBuild && w.Plan.VolumeBytes > 0 {
		size = max(w.Plan.VolumeBytes, source.SizeBytes)
	}
	if err := local.Disks.Overlay(ctx, disk.SnapshotID(source.Snapshot), overlay, size); err != nil {
		return nil, machine{}, err
	}
	if err := ingot.NoteLaunch(ctx, w.Records, source, w.Now()); err != nil {
		return nil, machine{}, err
	}
	var refused []error
	for _, m := range machines {
		inst, err := w.Drivers[m.Kind].Launch(ctx, w.spec(p, m))
		if err == nil {
			p.Type, p.Kind = m.Type, m.Kind
			w.Instance = p
			return inst, m, w.remember(w.Plan.Image, p)
		}
		w.log.note("Instance type %s cannot be launched: %s", m.Type, err)
		refused = append(refused, fmt.Errorf("launching %s as %s: %w", p.ID, m.Type, err))
	}
	return nil, machine{}, errors.Join(refused...)
}

// prepare waits for a booted guest and prepares it as the service's user data would.
func (w *work) prepare(ctx context.Context, inst compute.Instance) error {
	c, err := w.agent(ctx, inst)
	if err != nil {
		var lost *lostError
		if errors.As(err, &lost) { // at its first boot: the image's fault
			return fmt.Errorf("instance %s did not boot: %s", inst.ID(), lost.reason)
		}
		return err
	}
	defer c.Close()
	if w.text("healthCheck") != "RUNNING" {
		w.awaitBoot(ctx, c)
	}
	switch {
	case w.Workflow.Type != model.WorkflowTypeBuild:
		return nil
	case w.Plan.UserData != "":
		return w.runUserData(ctx, c)
	}
	return w.markCleanUp(ctx, c)
}

// undoLaunch terminates the step's instances, unless failures keep them.
func (w *work) undoLaunch(ctx context.Context) (model.WorkflowStepExecutionRollbackStatus, error) {
	if w.Plan.KeepOnFailure {
		return model.WorkflowStepExecutionRollbackStatusSkipped, nil
	}
	return model.WorkflowStepExecutionRollbackStatusCompleted, w.discard(ctx, w.Plan.Image, func(p product) bool {
		return p.is(isInstance) && p.Execution == w.execution() && p.Step == w.Step.Name
	})
}
