package build

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/region"
)

// createImage stops the instance, keeps its disk as a snapshot and registers
// an AMI of it. Source: workflows.md §7.9.
func (w *work) createImage(ctx context.Context) (map[string]any, error) {
	local, err := w.Regions.Region(w.image.Region)
	if err != nil {
		return nil, err
	}
	id := w.snapshotID()
	_, err = local.Disks.Find(id)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		err = w.timed(ctx, PartSnapshot, "snapshot", func() error { return w.snapshot(ctx, local.Disks, id) })
	}
	if err != nil {
		return nil, err
	}
	w.log.note("The disk is kept as %s", id)
	source, err := w.ami(ctx, w.Instance.Source)
	if err != nil {
		return nil, err
	}
	source.Snapshot, source.SizeBytes = string(id), 0 // as large as the snapshot
	ami, err := w.register(ctx, local, source)
	return map[string]any{"imageId": ami.ID}, err
}

// ami finds an AMI; the parent may have gone since the plan was made.
func (w *work) ami(ctx context.Context, id string) (ingot.AMI, error) {
	if id == w.Plan.Parent.ID {
		return w.Plan.Parent, nil
	}
	ami, err := w.Records.FindAMI(ctx, w.image.Scope(), id)
	if err != nil {
		return ami, fmt.Errorf("finding the AMI %s: %w", id, err)
	}
	return ami, nil
}

// snapshot keeps the disk of the step's instance.
func (w *work) snapshot(ctx context.Context, disks *disk.Store, id disk.SnapshotID) error {
	inst, err := w.adopt(ctx)
	if err != nil {
		return err
	}
	state, err := inst.State(ctx)
	if err != nil {
		return err
	}
	if state.Phase == compute.PhaseStarting || state.Phase == compute.PhaseRunning {
		if state, err = inst.Stop(ctx, stopGrace); err != nil {
			return err
		}
		w.log.note("Instance %s is %s", inst.ID(), state.Phase)
	}
	if state.Phase != compute.PhaseOff {
		return w.lost(fmt.Sprintf("%s did not power off cleanly: %s%s", inst.ID(), state.Reason, consoleTail(ctx, inst)))
	}
	if err := w.remember(w.Plan.Image, w.product(string(id))); err != nil {
		return err
	}
	_, err = disks.Snapshot(ctx, id, disk.SnapshotID(w.Instance.Snapshot), w.overlay(inst.ID()))
	return err
}

// register registers an AMI that starts as another one does, under the name,
// description and tags of the image's delivery in its own region.
func (w *work) register(ctx context.Context, local *region.Region, like ingot.AMI) (ingot.AMI, error) {
	ami := w.Plan.own(w.image, like)
	ami.Created = w.Now().UTC()
	if err := w.freeName(ctx, &ami); err != nil {
		return ami, err
	}
	p := w.product(ami.ID)
	p.Snapshot = ami.Snapshot
	if err := w.remember(w.Plan.Image, p); err != nil {
		return ami, err
	}
	if err := local.RegisterImage(ctx, ami); err != nil {
		return ami, err
	}
	w.log.note("Registered %s as %q in %s", ami.ID, ami.Name, ami.Region)
	return ami, nil
}

// own is the AMI of an image over a snapshot.
func (p plan) own(arn ingot.ARN, like ingot.AMI) ingot.AMI {
	ami := like.Fresh() // says how it starts
	ami.Scope = arn.Scope()
	ami.ID = region.AMIID(p.Image, arn.Region, disk.SnapshotID(like.Snapshot))
	ami.Name, ami.Description, ami.Tags = p.AMI.Name, p.AMI.Description, maps.Clone(p.AMI.Tags)
	ami.ImageARN, ami.Parent = p.Image, p.Parent.ID
	return ami
}

// freeName lets a further AMI of the same image have a name of its own, and
// refuses a name that an AMI of another image has. Source: distribution.md §3.1.
func (w *work) freeName(ctx context.Context, ami *ingot.AMI) error {
	other, err := w.Records.FindAMINamed(ctx, ami.Scope, ami.Name)
	switch {
	case ingot.ErrorCode(err) == ingot.CodeNotFound || err == nil && other.ID == ami.ID:
		return nil
	case err != nil:
		return fmt.Errorf("looking for AMIs named %q: %w", ami.Name, err)
	case other.ImageARN != w.Plan.Image:
		return ingot.Errorf(ingot.CodeExists, "the AMI's name %q is that of %s; put {{imagebuilder:buildDate}} into the name", ami.Name, other.ID)
	}
	suffix := " " + strings.TrimPrefix(ami.ID, isAMI)
	ami.Name = ami.Name[:min(len(ami.Name), maxAMIName-len(suffix))] + suffix
	return nil
}

// maxAMIName is the length of an AMI's name. Source: distribution.md §3.1.
const maxAMIName = 128
