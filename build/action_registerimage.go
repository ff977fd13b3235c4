package build

import (
	"context"
	"fmt"
	"slices"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/workflow"
)

// bootModes of AMIs by the values of the input bootMode.
var bootModes = map[string][]string{
	"legacy-bios": {"bios"}, "uefi": {"uefi"}, "uefi-preferred": {"uefi", "bios"},
}

// registerImage registers an AMI of a snapshot that belongs to this build.
// enaSupport, imdsSupport, sriovNetSupport, tpmSupport and the tags of
// snapshots mean nothing here. Source: workflows.md §7.11.
func (w *work) registerImage(ctx context.Context) (map[string]any, error) {
	for _, input := range []string{"imageLocation", "kernelId", "ramdiskId", "uefiData"} {
		if w.text(input) != "" {
			return nil, ingot.Errorf(ingot.CodeNotImplemented, "this server registers AMIs of snapshots; leave out the input %s", input)
		}
	}
	if a := w.text("architecture"); a != "" && a != w.Plan.Parent.Architecture {
		return nil, ingot.Errorf(ingot.CodeInvalid, "the architecture %s is not that of the parent image, %s", a, w.Plan.Parent.Architecture)
	}
	if v := w.text("virtualizationType"); v != "" && v != "hvm" {
		return nil, ingot.Errorf(ingot.CodeNotImplemented, "virtualizationType is %s: this server has hvm only", v)
	}
	ami := w.Plan.Parent
	var err error
	if ami.Snapshot, err = w.rootSnapshot(); err != nil {
		return nil, err
	}
	ami.SizeBytes = 0 // as large as the snapshot
	if modes := bootModes[w.text("bootMode")]; modes != nil {
		ami.BootModes = modes
	}
	local, err := w.Regions.Region(w.image.Region)
	if err != nil {
		return nil, err
	}
	if _, err := local.Disks.Find(disk.SnapshotID(ami.Snapshot)); err != nil {
		return nil, err
	}
	registered, err := w.register(ctx, local, ami)
	if err != nil {
		return nil, err
	}
	if text := w.text("description"); text != "" {
		err = w.Records.UpdateAMI(ctx, registered.Scope, registered.ID, func(a *ingot.AMI) { a.Description = text })
	}
	return map[string]any{"imageId": registered.ID}, err
}

// rootSnapshot is the snapshot of the root device among the mappings: one that
// the build has made, or has launched an instance of.
func (w *work) rootSnapshot() (string, error) {
	mappings, _ := workflow.Mappings(w.Step.Inputs["blockDeviceMapping"])
	root := w.text("rootDeviceName")
	for _, m := range mappings {
		ebs, _ := m["Ebs"].(map[string]any)
		id, _ := workflow.Scalar(ebs["SnapshotId"])
		name, _ := workflow.Scalar(m["DeviceName"])
		if id == "" || root != "" && name != root || root == "" && !slices.Contains(rootDevices, name) {
			continue
		}
		return id, w.checkSnapshot(id)
	}
	return "", ingot.Errorf(ingot.CodeInvalid, "blockDeviceMapping gives no Ebs.SnapshotId for the root device %s", root)
}

func (w *work) checkSnapshot(id string) error {
	list, err := w.products(w.Plan.Image)
	if err != nil {
		return err
	}
	known := func(p product) bool { return p.ID == id || p.Snapshot == id }
	if id == w.Plan.Parent.Snapshot || slices.ContainsFunc(list, known) {
		return nil
	}
	return fmt.Errorf("snapshot %s does not belong to this image's build", id)
}
