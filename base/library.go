package base

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/region"
)

// Library is the bases of one region: disks as snapshots, each with an AMI of
// the managed account and a build of its catalogue image.
type Library struct {
	Store  ingot.Store
	Region *region.Region
	Now    func() time.Time
}

// Base is an image of the catalogue, or one that somebody imported under a name
// of their own, and its newest disk here. AMI.ID is empty when there is none.
type Base struct {
	catalog.Image
	AMI ingot.AMI
}

// Disk is a file to make a base of.
type Disk struct {
	Name   string      // of the catalogue, or a new one of lower-case letters, digits and hyphens
	Path   string      // read once; not kept
	Format disk.Format // empty: by the content
	Date   time.Time   // becomes the version; zero means today
}

// tagBase is the tag by which an AMI says whose disk it is.
const tagBase = "ingot:base"

// Add makes a disk file the newest disk of a base. What is no disk, or has
// nothing that a machine could start from, is CodeInvalid. The same content of
// the same date again changes nothing, so whatever a crash interrupted is
// completed by asking again.
func (l *Library) Add(ctx context.Context, d Disk) (Base, error) {
	image, err := find(d.Name)
	if err != nil {
		return Base{}, err
	}
	if image.IsContainer() {
		return Base{}, ingot.Errorf(ingot.CodeInvalid, "base %s is a container image; it has no disk", image.Name)
	}
	if d.Date.IsZero() {
		d.Date = l.Now()
	}
	snapshot, modes, err := l.importDisk(ctx, image.Name, d)
	if err != nil {
		return Base{}, fmt.Errorf("adding base %s: %w", image.Name, err)
	}
	ami := l.newAMI(image, dateVersion(d.Date), snapshot, modes)
	if err := l.register(ctx, image, ami, dateVersion(d.Date)); err != nil {
		return Base{}, fmt.Errorf("adding base %s: %w", image.Name, err)
	}
	// The first instance should not wait for its disk. Without room for the cache
	// the base is there all the same.
	if _, err := l.Region.Disks.Materialise(ctx, snapshot); err != nil && ctx.Err() != nil {
		return Base{}, fmt.Errorf("adding base %s: %w", image.Name, err)
	}
	return Base{Image: image, AMI: ami}, nil
}

// importDisk stores the disk under an id that follows from its content.
func (l *Library) importDisk(ctx context.Context, name string, d Disk) (disk.SnapshotID, []string, error) {
	digest, err := fileDigest(ctx, d.Path)
	if err != nil {
		return "", nil, err
	}
	id := region.SnapshotID("base", name, digest)
	_, err = l.Region.Disks.Find(id)
	known := err == nil
	if _, err := l.Region.Disks.Import(ctx, id, d.Path, d.Format); err != nil {
		return "", nil, err
	}
	layout, err := l.Region.Disks.Inspect(ctx, id)
	if err == nil {
		err = checkBootable(layout, d.Path)
	}
	if err != nil && !known {
		err = errors.Join(err, l.Region.Disks.Delete(context.WithoutCancel(ctx), id))
	}
	return id, layout.BootModes, err
}

func checkBootable(l disk.Layout, path string) error {
	switch {
	case l.Root < 0:
		return ingot.Errorf(ingot.CodeInvalid, "%s has no root file system of Linux; a base is a whole bootable disk", path)
	case len(l.BootModes) == 0:
		return ingot.Errorf(ingot.CodeInvalid, "%s has neither a boot sector nor an EFI system partition; a base is a whole bootable disk, not a file system", path)
	}
	return nil
}

func (l *Library) newAMI(m catalog.Image, v ingot.Version, snapshot disk.SnapshotID, modes []string) ingot.AMI {
	image := ingot.ARN{
		Partition: "aws", Region: l.Region.Name, Account: ingot.ManagedAccount,
		Kind: ingot.KindImage, Name: m.Name, Version: v,
	}
	return ingot.AMI{
		Scope:        ingot.Scope{Account: ingot.ManagedAccount, Region: l.Region.Name},
		ID:           region.AMIID(image.String(), l.Region.Name, snapshot),
		Name:         fmt.Sprintf("%s-%s", m.Name, v),
		Description:  m.DisplayName,
		Architecture: m.Architecture,
		Platform:     string(m.Platform),
		OSVersion:    m.OSVersion,
		DefaultUser:  m.DefaultUser,
		BootModes:    modes,
		Snapshot:     string(snapshot),
		ImageARN:     image.String(), // the version: its build is made after the AMI
		Tags:         map[string]string{tagBase: m.Name},
		Created:      l.Now().UTC(),
	}
}

// register makes the AMI, and then the image that names it, visible.
func (l *Library) register(ctx context.Context, m catalog.Image, ami ingot.AMI, v ingot.Version) error {
	if err := l.Region.RegisterImage(ctx, ami); err != nil {
		return err
	}
	managed := m.Managed(l.Region.Name, v, ami.Created)
	managed.AMI, managed.Description = ami.ID, ami.Description
	_, err := ingot.PutManagedImage(ctx, l.Store, managed)
	return err
}

// List returns the catalogue in its order, and then bases with names of their own.
func (l *Library) List(ctx context.Context) ([]Base, error) {
	amis, err := l.amis(ctx)
	if err != nil {
		return nil, err
	}
	newest := map[string]ingot.AMI{}
	for _, a := range amis {
		if name := a.Tags[tagBase]; a.Created.After(newest[name].Created) {
			newest[name] = a
		}
	}
	var bases []Base
	for _, m := range catalog.Images() {
		bases = append(bases, Base{Image: m, AMI: newest[m.Name]})
		delete(newest, m.Name)
	}
	for name, ami := range newest {
		m, err := catalog.NewImage(name)
		if err != nil {
			return nil, fmt.Errorf("listing bases: %s: %w", ami.ID, err)
		}
		bases = append(bases, Base{Image: m, AMI: ami})
	}
	slices.SortFunc(bases[len(catalog.Images()):], func(a, b Base) int { return strings.Compare(a.Name, b.Name) })
	return bases, nil
}

// Remove removes every disk of a base. A base of the catalogue stays listed.
// CodeNotFound if it has no disk here.
func (l *Library) Remove(ctx context.Context, name string) error {
	m, err := find(name)
	if err != nil {
		return err
	}
	amis, err := l.amis(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, a := range amis {
		if a.Tags[tagBase] != m.Name {
			continue
		}
		found = true
		if err := l.remove(ctx, a); err != nil {
			return fmt.Errorf("removing base %s: %w", m.Name, err)
		}
	}
	if !found {
		return ingot.Errorf(ingot.CodeNotFound, "base %s has no disk here", m.Name)
	}
	// Without a disk the image is listed as before there was one.
	return catalog.Sync(ctx, l.Store, l.Region.Name, l.Now())
}

// remove takes the image away before the AMI: nothing must resolve to a disk
// that is going, and an AMI that is left is found by the next Remove.
func (l *Library) remove(ctx context.Context, a ingot.AMI) error {
	if err := ingot.DeleteManagedImages(ctx, l.Store, l.Region.Name, a.ID); err != nil {
		return err
	}
	return l.Region.Deregister(ctx, ingot.ManagedAccount, a.ID)
}

func (l *Library) amis(ctx context.Context) ([]ingot.AMI, error) {
	amis, err := l.Store.ListAMIs(ctx, ingot.Scope{Account: ingot.ManagedAccount, Region: l.Region.Name})
	if err != nil {
		return nil, fmt.Errorf("listing bases: %w", err)
	}
	return amis, nil
}

// find returns the catalogue's image of a name, or a new one.
func find(name string) (catalog.Image, error) {
	m, err := catalog.Find(name)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		return catalog.NewImage(name)
	}
	return m, err
}

// dateVersion is a date as a version: 2026.11.21.
func dateVersion(t time.Time) ingot.Version {
	y, m, d := t.UTC().Date()
	return ingot.NewVersion(y, int(m), d)
}
