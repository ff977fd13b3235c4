package build

import (
	"context"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/region"
)

// output is what the build workflow made.
type output struct {
	Snapshot string `json:"snapshot"`
}

// createImage stops the instance and keeps its disk as a snapshot. The AMI of
// it is registered when the tests have passed; its id is known now.
func (w *work) createImage(ctx context.Context) (any, error) {
	w.inputs = map[string]string{"instanceId": w.Instance.InstanceID}
	local, err := w.Regions.Region(w.image.Region)
	if err != nil {
		return nil, err
	}
	id := snapshotID(w.Plan.Image, w.Attempt)
	_, err = local.Disks.Find(id)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		err = w.snapshot(ctx, local.Disks, id)
	}
	if err != nil {
		return nil, err
	}
	w.log.note("The disk is kept as %s", id)
	return reported{
		next:  output{Snapshot: string(id)},
		shown: map[string]string{"imageId": region.AMIID(w.Plan.Image, w.image.Region, id)},
	}, nil
}

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
		return &lostError{reason: fmt.Sprintf("%s did not power off cleanly: %s%s", inst.ID(), state.Reason, consoleTail(ctx, inst))}
	}
	_, err = disks.Snapshot(ctx, id, disk.SnapshotID(w.Plan.Parent.Snapshot), w.overlay(inst.ID()))
	return err
}

// checkBoot boots the new image in a virtual machine through its own loader:
// what a test in a container cannot show.
func (w *work) checkBoot(ctx context.Context) (any, error) {
	w.inputs = map[string]string{"snapshotId": w.Output.Snapshot}
	if w.Boot == nil {
		return nil, skipped{"This server has no virtual machines to boot the image in"}
	}
	ami := w.ami(w.image, w.Now())
	console, err := w.Boot.CheckBoot(ctx, bootCheckID(w.Plan.Image, w.Attempt), ami)
	if saving := w.writeWhole(w.Plan.Image, "boot-console.log", []byte(console)); saving != nil {
		return nil, saving
	}
	if err != nil {
		return nil, fmt.Errorf("booting the new image: %w", err)
	}
	return map[string]any{"booted": true}, nil
}
