package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
)

// keptFile names the instances that a failed build left running.
const keptFile = "kept.json"

func (b *Builder) keep(image string, ids []string) error {
	data, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return b.writeWhole(image, keptFile, data)
}

// Kept lists the ids of instances that failed builds left running.
func (b *Builder) Kept(ctx context.Context) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(b.Dir, "*", keptFile))
	if err != nil {
		return nil, fmt.Errorf("listing kept instances: %w", err)
	}
	var all []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var ids []string
		if err == nil {
			err = json.Unmarshal(data, &ids)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		all = append(all, ids...)
	}
	return all, ctx.Err()
}

// open lists the images of all scopes that are being made.
func (b *Builder) open(ctx context.Context) ([]ingot.Record, error) {
	var all []ingot.Record
	for _, scope := range b.Scopes {
		q := ingot.Query{
			Scope: scope, Kind: ingot.KindImage, Limit: 100,
			Filters: []ingot.Filter{{Name: ingot.FilterStatus, Values: ingot.ImagePending}},
		}
		for {
			page, err := b.Records.List(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("listing the images that are being made: %w", err)
			}
			all = append(all, page.Records...)
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	return all, nil
}

// InstancesInUse lists the ids of instances that belong to builds: those of images
// that are being made, and those kept after a failure.
func (b *Builder) InstancesInUse(ctx context.Context) ([]string, error) {
	ids, err := b.Kept(ctx)
	if err != nil {
		return nil, err
	}
	list, err := b.inProgress(ctx, isInstance)
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	return ids, err
}

// inProgress lists the products of images that are being made.
func (b *Builder) inProgress(ctx context.Context, prefix string) ([]product, error) {
	images, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	var all []product
	for _, image := range images {
		list, err := b.products(image.ARN.String(), prefix)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// Sweep removes the instances, disks and snapshots that nothing needs: no
// running build, no kept failure, no AMI, and not others, which lists instances
// that are somebody else's.
func (b *Builder) Sweep(ctx context.Context, others []string) error {
	mine, err := b.InstancesInUse(ctx)
	if err != nil {
		return err
	}
	keep := append(mine, others...)
	var errs []error
	for _, driver := range b.Drivers {
		errs = append(errs, driver.Sweep(ctx, keep))
	}
	errs = append(errs, b.sweepDisks(ctx, keep), b.sweepSnapshots(ctx))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweeping what earlier builds left: %w", err)
	}
	return nil
}

// sweepDisks removes disks that were made for an instance that was never launched.
func (b *Builder) sweepDisks(ctx context.Context, keep []string) error {
	known := map[string]bool{}
	for _, id := range keep {
		known[id] = true
	}
	disks, err := filepath.Glob(b.overlay("i-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range disks {
		id := filepath.Base(filepath.Dir(path))
		if !known[id] {
			errs = append(errs, b.destroy(ctx, id))
		}
	}
	return errors.Join(errs...)
}

func (b *Builder) sweepSnapshots(ctx context.Context) error {
	names, err := b.Regions.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		local, err := b.Regions.Region(name)
		if err != nil {
			return err
		}
		swept, err := local.Sweep(ctx, func(ctx context.Context) ([]disk.SnapshotID, error) {
			var keep []disk.SnapshotID
			list, err := b.inProgress(ctx, isSnapshot)
			for _, p := range list {
				keep = append(keep, disk.SnapshotID(p.ID))
			}
			return keep, err
		})
		if err != nil {
			return err
		}
		for _, id := range swept {
			b.Log.Info("removed a snapshot that nothing names", "snapshot", id, "region", name)
		}
	}
	return nil
}
