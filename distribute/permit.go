package distribute

import (
	"context"
	"slices"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// Permit lets others use the delivered AMIs of the regions whose entries have a
// launch permission. Nothing is passed on from one region to another. Source:
// distribution.md §3.4.
func (s *Service) Permit(ctx context.Context, delivered []Row, list []model.Distribution) []Row {
	rows := next(delivered, stepModify)
	each(ctx, rows, func(ctx context.Context, r *Row) error {
		entry := find(list, r.Region)
		if entry == nil || entry.AmiDistributionConfiguration == nil || entry.AmiDistributionConfiguration.LaunchPermission == nil {
			return nil
		}
		permission := entry.AmiDistributionConfiguration.LaunchPermission
		if len(permission.OrganizationArns)+len(permission.OrganizationalUnitArns) > 0 {
			return ingot.Errorf(ingot.CodeNotImplemented, "launchPermission of %s names organizations: this server knows accounts only; name them in userIds", r.Region)
		}
		return s.AMIs.UpdateAMI(ctx, r.scope(), r.AMI, func(a *ingot.AMI) { a.Permission = permission })
	}, s.Now)
	return rows
}

func (r Row) scope() ingot.Scope { return ingot.Scope{Account: r.Account, Region: r.Region} }

// next are the rows of a further step.
func next(rows []Row, step string) []Row {
	list := slices.Clone(rows)
	for i := range list {
		if list[i].Status == Completed {
			list[i].Step = step
		}
	}
	return list
}

func find(list []model.Distribution, region string) *model.Distribution {
	if i := slices.IndexFunc(list, func(d model.Distribution) bool { return d.Region == region }); i >= 0 {
		return &list[i]
	}
	return nil
}
