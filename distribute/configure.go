package distribute

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// Configure does what an entry asks for beside AMIs: licences, launch
// templates, parameters, fast launch and export, in this order, and stops a
// region at its first failure. They are about the AMI of the image's own
// account, parameters aside. Source: distribution.md §5, §6.
func (s *Service) Configure(ctx context.Context, account string, delivered []Row, list []model.Distribution) []Row {
	rows := next(delivered, Completed)
	each(ctx, rows, func(ctx context.Context, r *Row) error {
		entry := find(list, r.Region)
		if entry == nil {
			return nil
		}
		for _, part := range parts {
			r.Step = part.step
			if err := part.do(s, ctx, account, *r, *entry); err != nil {
				return err
			}
		}
		return nil
	}, s.Now)
	return rows
}

// NeedsConfiguring reports whether an entry asks for anything beside AMIs:
// only then an image is INTEGRATING.
func NeedsConfiguring(list []model.Distribution) bool {
	for _, d := range list {
		if len(d.LicenseConfigurationArns)+len(d.LaunchTemplateConfigurations)+len(d.SsmParameterConfigurations)+len(d.FastLaunchConfigurations) > 0 || d.S3ExportConfiguration != nil {
			return true
		}
	}
	return false
}

// parts are what an entry may ask for, in the order in which it is done.
var parts = []struct {
	step string
	do   func(s *Service, ctx context.Context, account string, r Row, d model.Distribution) error
}{
	{stepLicenses, (*Service).license},
	{stepLaunchTemplate, (*Service).launchTemplates},
	{stepParameters, (*Service).parameters},
	{stepFastLaunch, (*Service).fastLaunch},
	{stepExport, (*Service).export},
}

// license keeps the ARNs with the AMI.
func (s *Service) license(ctx context.Context, account string, r Row, d model.Distribution) error {
	if r.Account != account || len(d.LicenseConfigurationArns) == 0 {
		return nil
	}
	return s.AMIs.UpdateAMI(ctx, r.scope(), r.AMI, func(a *ingot.AMI) { a.Licenses = d.LicenseConfigurationArns })
}

func (s *Service) launchTemplates(_ context.Context, account string, r Row, d model.Distribution) error {
	for _, t := range d.LaunchTemplateConfigurations {
		if cmp.Or(t.AccountId, account) == r.Account {
			return ingot.Errorf(ingot.CodeNotFound, "the launch template %s does not exist in %s: this server has no launch templates; use a parameter", t.LaunchTemplateId, r.Region)
		}
	}
	return nil
}

// serviceParameters is where a service-linked role may write. Source: api.md §6.
const serviceParameters = "/imagebuilder/"

// parameters writes the AMI's id into the parameters that are for its account.
func (s *Service) parameters(ctx context.Context, account string, r Row, d model.Distribution) error {
	for _, c := range d.SsmParameterConfigurations {
		if cmp.Or(c.AmiAccountId, account) != r.Account {
			continue
		}
		p := ingot.Parameter{Scope: r.scope(), Name: c.ParameterName, Value: r.AMI, DataType: string(c.DataType), Modified: s.Now().UTC()}
		if p.DataType == "" {
			p.DataType = ingot.ParameterText
		}
		if err := ingot.CheckParameter(p); err != nil {
			return err
		}
		if ingot.IsServiceRole(s.Role) && !strings.HasPrefix(p.Name, serviceParameters) {
			return ingot.Errorf(ingot.CodeForbidden, "writing the parameter %s: the service-linked role %s may write below %s only; give the image an executionRole", p.Name, s.Role, serviceParameters)
		}
		if _, err := s.Parameters.PutParameter(ctx, p); err != nil {
			return fmt.Errorf("writing the parameter %s: %w", c.ParameterName, err)
		}
	}
	return nil
}

func (s *Service) fastLaunch(_ context.Context, account string, r Row, d model.Distribution) error {
	for _, f := range d.FastLaunchConfigurations {
		if f.Enabled && cmp.Or(f.AccountId, account) == r.Account {
			return ingot.Errorf(ingot.CodeInvalid, "fast launch is for Windows: %s in %s is not", r.AMI, r.Region)
		}
	}
	return nil
}

func (s *Service) export(_ context.Context, account string, r Row, d model.Distribution) error {
	if d.S3ExportConfiguration == nil || r.Account != account {
		return nil
	}
	return ingot.Errorf(ingot.CodeNotImplemented, "s3ExportConfiguration of %s: this server cannot export to a bucket yet; use `ingot image export %s`", r.Region, r.AMI)
}
