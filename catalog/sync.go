package catalog

import (
	"context"
	"fmt"
	"time"

	"ingot.dev/ingot"
)

// Sync makes everything in the catalogue visible in a region.
func Sync(ctx context.Context, s ingot.Store, region string, now time.Time) error {
	if err := SyncWorkflows(ctx, s, region, now); err != nil {
		return err
	}
	if err := SyncComponents(ctx, s, region, now); err != nil {
		return err
	}
	return syncImages(ctx, s, region, now)
}

// SyncWorkflows makes every workflow of the catalogue visible in a region.
func SyncWorkflows(ctx context.Context, s ingot.Store, region string, now time.Time) error {
	var list []ingot.ManagedWorkflow
	for _, w := range Workflows() {
		list = append(list, w.Managed(region, now))
	}
	if err := ingot.PutManagedWorkflows(ctx, s, list); err != nil {
		return fmt.Errorf("listing the managed workflows: %w", err)
	}
	return nil
}

// SyncComponents makes every component of the catalogue visible in a region.
func SyncComponents(ctx context.Context, s ingot.Store, region string, now time.Time) error {
	var list []ingot.ManagedComponent
	for _, c := range Components() {
		list = append(list, c.Managed(region, now))
	}
	if err := ingot.PutManagedComponents(ctx, s, list); err != nil {
		return fmt.Errorf("listing the managed components: %w", err)
	}
	return nil
}

// syncImages leaves an image alone that has records in the region, because of
// a disk or of an earlier Sync: a newer version without a disk must not hide
// one with a disk.
func syncImages(ctx context.Context, s ingot.Store, region string, now time.Time) error {
	for _, m := range load().Images {
		arn := ingot.ARN{
			Partition: "aws", Region: region, Account: ingot.ManagedAccount,
			Kind: ingot.KindImage, Name: m.Name, Version: Version().Wildcard(0),
		}
		_, err := s.Resolve(ctx, arn)
		if err == nil {
			continue
		}
		if ingot.ErrorCode(err) != ingot.CodeNotFound {
			return fmt.Errorf("looking for %s: %w", m.Name, err)
		}
		if _, err := ingot.PutManagedImage(ctx, s, m.Managed(region, Version(), now)); err != nil {
			return fmt.Errorf("listing %s: %w", m.Name, err)
		}
	}
	return nil
}

// Managed is the image as a record of a region, without an AMI.
func (m Image) Managed(region string, version ingot.Version, created time.Time) ingot.ManagedImage {
	return ingot.ManagedImage{
		Partition: "aws", Region: region, Name: m.DisplayName, Type: m.Type,
		Version: version, Platform: m.Platform, OSVersion: m.OSVersion, Created: created,
	}
}
