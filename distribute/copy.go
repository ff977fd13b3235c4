package distribute

import (
	"context"
	"fmt"
	"maps"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/region"
)

// Copy delivers an AMI to every destination. The image's own is the source
// itself, which must be registered; an image that was not built has its
// parent, which may be somebody else's.
func (s *Service) Copy(ctx context.Context, image Image, list []Destination) []Row {
	rows := make([]Row, len(list))
	byScope := map[ingot.Scope]Destination{}
	for i, to := range list {
		rows[i] = Row{Region: to.Region, Account: to.Account, Name: to.Name, Status: Completed, Step: stepCopy}
		byScope[to.Scope] = to
	}
	each(ctx, rows, func(ctx context.Context, r *Row) error {
		ami, err := s.copyTo(ctx, image, byScope[ingot.Scope{Account: r.Account, Region: r.Region}])
		r.AMI = ami.ID
		return err
	}, s.Now)
	return rows
}

// copyTo makes the AMI of one destination, unless it is there.
func (s *Service) copyTo(ctx context.Context, image Image, to Destination) (ingot.AMI, error) {
	if to.Scope == image.ARN.Scope() {
		return image.Source, nil
	}
	if err := s.admit(ctx, image, to); err != nil {
		return ingot.AMI{}, err
	}
	target, err := s.bring(ctx, image.Source, to.Region)
	if err != nil {
		return ingot.AMI{}, err
	}
	ami := image.Source.Fresh() // what it is a copy of says how it starts
	ami.Scope = to.Scope
	ami.ID = AMIID(image.ARN, to.Scope, image.Source)
	ami.Name, ami.Description, ami.Tags = to.Name, to.Description, maps.Clone(to.Tags)
	ami.ImageARN, ami.Parent, ami.Created = image.ARN.String(), image.Source.ID, s.Now().UTC()
	return ami, target.RegisterImage(ctx, ami)
}

// AMIID is the id of the AMI that an image has at a destination.
func AMIID(image ingot.ARN, to ingot.Scope, source ingot.AMI) string {
	owner := image.String()
	if to.Account != image.Account {
		owner += " for " + to.Account
	}
	return region.AMIID(owner, to.Region, disk.SnapshotID(source.Snapshot))
}

// admit refuses what cannot be delivered to a destination.
func (s *Service) admit(ctx context.Context, image Image, to Destination) error {
	if to.Key != "" {
		return ingot.Errorf(ingot.CodeNotImplemented, "kmsKeyId asks to encrypt the copy for %s in %s: this server cannot encrypt images yet", to.Account, to.Region)
	}
	if to.Account != image.ARN.Account {
		trusted := false
		if s.Trusts != nil {
			var err error
			if trusted, err = s.Trusts(ctx, to.Account, image.ARN.Account); err != nil {
				return fmt.Errorf("asking whether account %s takes images of %s: %w", to.Account, image.ARN.Account, err)
			}
		}
		if !trusted {
			return ingot.Errorf(ingot.CodeForbidden, "account %s does not take images of account %s: it has no role %s that trusts it", to.Account, image.ARN.Account, ingot.CrossAccountRole)
		}
	}
	other, err := s.AMIs.FindAMINamed(ctx, to.Scope, to.Name)
	switch {
	case ingot.ErrorCode(err) == ingot.CodeNotFound, err == nil && other.ID == AMIID(image.ARN, to.Scope, image.Source):
		return nil
	case err != nil:
		return err
	}
	return ingot.Errorf(ingot.CodeExists, "the AMI's name %q is that of %s in %s; put {{imagebuilder:buildDate}} into the name", to.Name, other.ID, to.Region)
}

// bring copies the source's snapshot into a region.
func (s *Service) bring(ctx context.Context, source ingot.AMI, name string) (*region.Region, error) {
	from, err := s.Regions.Region(source.Region)
	if err != nil {
		return nil, err
	}
	target, err := s.Regions.Region(name)
	if err != nil || target == from {
		return target, err
	}
	_, err = target.Disks.Copy(ctx, from.Disks, disk.SnapshotID(source.Snapshot))
	return target, err
}
