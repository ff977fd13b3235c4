package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/compute/qemu"
	"ingot.dev/ingot/disk"
)

func (s *Server) listImages(ctx context.Context, _ admin.None, _ admin.Send) ([]admin.Image, error) {
	amis, err := s.amis(ctx)
	if err != nil {
		return nil, err
	}
	images := make([]admin.Image, 0, len(amis))
	for _, ami := range amis {
		images = append(images, imageOf(ami))
	}
	slices.SortFunc(images, func(a, b admin.Image) int { return a.Created.Compare(b.Created) })
	return images, nil
}

func imageOf(a ingot.AMI) admin.Image {
	return admin.Image{
		ID: a.ID, Name: a.Name, Description: a.Description, Owner: a.Account,
		Architecture: a.Architecture, OSVersion: a.OSVersion, BootModes: a.BootModes,
		ImageARN: a.ImageARN, Parent: a.Parent, Snapshot: a.Snapshot, SizeBytes: a.SizeBytes,
		Tags: a.Tags, Created: a.Created, State: a.State(), Launched: a.Launched,
	}
}

// amis are those of all accounts in all regions.
func (s *Server) amis(ctx context.Context) (all []ingot.AMI, err error) {
	for _, name := range s.Regions {
		amis, err := s.db.ListAMIs(ctx, ingot.Scope{Region: name})
		if err != nil {
			return nil, err
		}
		all = append(all, amis...)
	}
	return all, nil
}

// findImage takes an AMI id or the ARN of an image build, of any account.
func (s *Server) findImage(ctx context.Context, name string) (ingot.AMI, error) {
	amis, err := s.amis(ctx)
	if err != nil {
		return ingot.AMI{}, err
	}
	for _, a := range amis {
		if a.ID == name || a.ImageARN == name {
			return a, nil
		}
	}
	return ingot.AMI{}, ingot.Errorf(ingot.CodeNotFound, "image %s: has no AMI here; `ingot image list` shows those that are", name)
}

func (s *Server) showImage(ctx context.Context, in admin.ImageName, _ admin.Send) (admin.Image, error) {
	ami, err := s.findImage(ctx, in.Image)
	if err != nil {
		return admin.Image{}, err
	}
	local, err := s.regions.Region(ami.Region)
	if err != nil {
		return admin.Image{}, err
	}
	image := imageOf(ami)
	usage, err := local.Disks.Stat(ctx, disk.SnapshotID(ami.Snapshot))
	if err != nil {
		return admin.Image{}, err
	}
	image.StoredBytes = usage.StoredBytes
	return image, nil
}

// Sizes of a launched instance when nothing is asked: a t3.small.
const (
	launchCPUs      = 2
	launchMemoryMiB = 2048
	checkMemoryMiB  = 1024
)

// launchImage starts an instance and waits until its agent answers.
func (s *Server) launchImage(ctx context.Context, in admin.ImageLaunch, send admin.Send) (admin.Instance, error) {
	ami, err := s.findImage(ctx, in.Image)
	if err != nil {
		return admin.Instance{}, err
	}
	if err := ami.CheckLaunch(); err != nil {
		return admin.Instance{}, err
	}
	if ami.Deregistered {
		return admin.Instance{}, ingot.Errorf(ingot.CodeInvalid, "image %s: is deregistered, and only its snapshot is left", in.Image)
	}
	driver, err := s.launchDriver(ctx, in.Kind)
	if err != nil {
		return admin.Instance{}, err
	}
	if err := ingot.NoteLaunch(ctx, s.db, ami, time.Now()); err != nil {
		return admin.Instance{}, err
	}
	spec := compute.Spec{
		ID: newInstanceID(), Hostname: "ingot", Boot: compute.BootDirect,
		CPUs: cmp.Or(in.CPUs, launchCPUs), MemoryMiB: cmp.Or(in.MemoryMiB, launchMemoryMiB),
		Tags: map[string]string{purposeTag: purposeLaunched, "ami": ami.ID}, Token: rand.Text(),
	}
	spec.Disk = s.path("instances", spec.ID, "disk.qcow2")
	if err := s.makeOverlay(ctx, ami, spec); err != nil {
		return admin.Instance{}, err
	}
	instance, err := driver.Launch(ctx, spec)
	if err != nil {
		return admin.Instance{}, errors.Join(fmt.Errorf("launching %s: %w", ami.ID, err), os.RemoveAll(s.path("instances", spec.ID)))
	}
	send(admin.Message{Progress: fmt.Sprintf("%s: %s is booting", spec.ID, driver.Kind())})
	if err := awaitAgent(ctx, instance); err != nil {
		return admin.Instance{}, errors.Join(err, instance.Destroy(context.WithoutCancel(ctx)))
	}
	return s.showInstance(ctx, spec.ID)
}

func awaitAgent(ctx context.Context, instance compute.Instance) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	agent, err := instance.Agent(ctx)
	if err != nil {
		return err
	}
	return agent.Close()
}

func (s *Server) launchDriver(ctx context.Context, kind string) (compute.Driver, error) {
	if kind == "" {
		var err error
		if kind, err = s.builder.DefaultTestKind(ctx); err != nil {
			return nil, err
		}
	}
	driver, ok := s.drivers[kind]
	if !ok {
		return nil, ingot.Errorf(ingot.CodeInvalid, "kind %q: must be container or qemu", kind)
	}
	return driver, nil
}

func newInstanceID() string {
	b := make([]byte, 9)
	rand.Read(b)
	return "i-" + hex.EncodeToString(b)[:17]
}

// checkImage boots an image through its own loader, as every tested build does.
func (s *Server) checkImage(ctx context.Context, in admin.ImageName, _ admin.Send) (admin.ImageCheck, error) {
	ami, err := s.findImage(ctx, in.Image)
	if err != nil {
		return admin.ImageCheck{}, err
	}
	check, err := s.checkBoot(ctx, newInstanceID(), ami)
	return admin.ImageCheck{Boot: string(check.Boot), Reached: check.Reached, Seconds: check.After.Seconds()}, err
}

func (s *Server) exportImage(ctx context.Context, in admin.ImageExport, send admin.Send) (admin.None, error) {
	ami, err := s.findImage(ctx, in.Image)
	if err != nil {
		return admin.None{}, err
	}
	local, err := s.regions.Region(ami.Region)
	if err != nil {
		return admin.None{}, err
	}
	send(admin.Message{Progress: fmt.Sprintf("writing %s", in.Path)})
	formats := map[string]disk.Format{
		"raw": disk.FormatRaw, "qcow2": disk.FormatQCOW2, "vmdk": disk.FormatVMDK, "vhd": disk.FormatVHD,
	}
	return admin.None{}, local.Disks.Export(ctx, disk.SnapshotID(ami.Snapshot), in.Path, formats[in.Format])
}

func (s *Server) diffImages(ctx context.Context, in admin.ImagePair, _ admin.Send) (admin.ImageDiff, error) {
	a, err := s.findImage(ctx, in.A)
	if err != nil {
		return admin.ImageDiff{}, err
	}
	b, err := s.findImage(ctx, in.B)
	if err != nil {
		return admin.ImageDiff{}, err
	}
	if a.Region != b.Region {
		return admin.ImageDiff{}, ingot.Errorf(ingot.CodeInvalid, "image %s is in %s and image %s in %s: only images of one region can be compared", a.ID, a.Region, b.ID, b.Region)
	}
	local, err := s.regions.Region(a.Region)
	if err != nil {
		return admin.ImageDiff{}, err
	}
	changes, err := local.Disks.Diff(ctx, disk.SnapshotID(a.Snapshot), disk.SnapshotID(b.Snapshot))
	if err != nil {
		return admin.ImageDiff{}, err
	}
	diff := admin.ImageDiff{Ranges: []admin.Range{}}
	for _, c := range changes {
		offset := int64(c.Index) * disk.BlockSize
		diff.ChangedBytes += disk.BlockSize
		if last := len(diff.Ranges) - 1; last >= 0 && diff.Ranges[last].Offset+diff.Ranges[last].Length == offset {
			diff.Ranges[last].Length += disk.BlockSize
			continue
		}
		diff.Ranges = append(diff.Ranges, admin.Range{Offset: offset, Length: disk.BlockSize})
	}
	return diff, nil
}

// removeImage forgets an AMI and the disk blocks that nothing else uses. As with
// the vendor's service, an image resource that lists it stays.
func (s *Server) removeImage(ctx context.Context, in admin.ImageName, _ admin.Send) (admin.None, error) {
	ami, err := s.findImage(ctx, in.Image)
	if err != nil {
		return admin.None{}, err
	}
	if ami.Account == "aws" {
		return admin.None{}, ingot.Errorf(ingot.CodeForbidden, "%s is a managed base: remove it with `ingot base rm`", ami.ID)
	}
	local, err := s.regions.Region(ami.Region)
	if err != nil {
		return admin.None{}, err
	}
	return admin.None{}, local.Deregister(ctx, ami.Account, ami.ID)
}

// retryImage has an image that failed go on from a step.
func (s *Server) retryImage(ctx context.Context, in admin.ImageRetry, _ admin.Send) (admin.None, error) {
	arn, err := ingot.ParseARN(in.Image)
	if err != nil {
		return admin.None{}, err
	}
	if arn.Kind != ingot.KindImage || arn.Build == 0 {
		return admin.None{}, ingot.Errorf(ingot.CodeInvalid, "%s is not the ARN of an image build, such as arn:aws:imagebuilder:us-east-1:000000000000:image/web/1.0.0/1", in.Image)
	}
	return admin.None{}, s.builder.RetryFrom(ctx, arn, in.From)
}

// CheckBoot boots an AMI in a virtual machine through the loader of its disk,
// on a throw-away overlay.
func (s *Server) CheckBoot(ctx context.Context, id string, ami ingot.AMI) (console string, err error) {
	check, err := s.checkBoot(ctx, id, ami)
	return strings.Join(check.Console, "\n"), err
}

func (s *Server) checkBoot(ctx context.Context, id string, ami ingot.AMI) (qemu.Check, error) {
	boot := compute.BootBIOS
	if slices.Contains(ami.BootModes, "uefi") && !slices.Contains(ami.BootModes, "bios") {
		boot = compute.BootUEFI
	}
	spec := compute.Spec{
		ID: id, Hostname: "ingot", Boot: boot, CPUs: launchCPUs, MemoryMiB: checkMemoryMiB,
		Disk: s.path("instances", id, "disk.qcow2"), Token: rand.Text(),
		Tags: map[string]string{purposeTag: "boot check", "ami": ami.ID},
	}
	// What an interrupted check left under this id goes first.
	if old, err := s.drivers[compute.KindQEMU].Adopt(ctx, id); err == nil {
		if err := old.Destroy(ctx); err != nil {
			return qemu.Check{}, err
		}
	}
	if err := s.makeOverlay(ctx, ami, spec); err != nil {
		return qemu.Check{}, err
	}
	return qemu.BootCheck(ctx, s.drivers[compute.KindQEMU], spec)
}

// makeOverlay gives an instance its own writable disk over an AMI's snapshot.
func (s *Server) makeOverlay(ctx context.Context, ami ingot.AMI, spec compute.Spec) error {
	dir := filepath.Dir(spec.Disk)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making a disk for %s: %w", spec.ID, err)
	}
	local, err := s.regions.Region(ami.Region)
	if err != nil {
		return err
	}
	if err := local.Disks.Overlay(ctx, disk.SnapshotID(ami.Snapshot), spec.Disk, 0); err != nil {
		return errors.Join(fmt.Errorf("making a disk for %s: %w", spec.ID, err), os.RemoveAll(dir))
	}
	return nil
}
