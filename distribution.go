package ingot

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"ingot.dev/ingot/model"
)

// distributionTimeoutMinutes is constant: it is no input. Source: api.md §3.5.
const distributionTimeoutMinutes = 720

var imageTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// NewDistribution is the configuration that a request asks for.
func NewDistribution(arn ARN, in *model.CreateDistributionConfigurationRequest, now time.Time) *model.DistributionConfiguration {
	return &model.DistributionConfiguration{
		Arn: arn.String(), Name: in.Name, Description: in.Description, Distributions: in.Distributions,
		TimeoutMinutes: distributionTimeoutMinutes, DateCreated: model.DateTime(now),
	}
}

// CreateDistribution stores a new, checked configuration.
func CreateDistribution(ctx context.Context, tx Tx, arn ARN, c *model.DistributionConfiguration, tags map[string]string, now time.Time) error {
	return createConfiguration(ctx, tx, arn, c.Name, c, tags, now)
}

// UpdateDistribution replaces description and distributions, which are checked.
func UpdateDistribution(ctx context.Context, tx Tx, arn ARN, in *model.UpdateDistributionConfigurationRequest, now time.Time) error {
	return updateDocument(ctx, tx, arn, now, func(c *model.DistributionConfiguration) (*model.DistributionConfiguration, error) {
		c.Description, c.Distributions, c.DateUpdated = in.Description, in.Distributions, model.DateTime(now)
		return c, nil
	})
}

// CheckDistributions checks the members of distributions against each other.
// Account is the caller's; regions are those of the server, empty for any.
// Source: api.md §3.5, distribution.md §2.
func CheckDistributions(list []model.Distribution, account string, regions []string, quotas Quotas) error {
	seen := map[string]bool{}
	for i, d := range list {
		field := fmt.Sprintf("distributions[%d]", i)
		switch {
		case !regionPattern.MatchString(d.Region) || len(regions) > 0 && !slices.Contains(regions, d.Region):
			return InvalidField(field+".region", "The region '%s' does not exist.", d.Region)
		case seen[d.Region]:
			return Errorf(CodeCombination, "The region '%s' is in 'distributions' twice. Put all its outputs in one entry.", d.Region)
		case !hasOutput(d):
			return InvalidField(field, "Each region needs at least one output: an AMI or container distribution, a license configuration, a launch template, an export, a fast launch or an SSM parameter configuration.")
		}
		seen[d.Region] = true
		if err := checkDistribution(field, d, account, quotas); err != nil {
			return err
		}
	}
	return nil
}

func hasOutput(d model.Distribution) bool {
	return d.AmiDistributionConfiguration != nil || d.ContainerDistributionConfiguration != nil ||
		d.S3ExportConfiguration != nil || len(d.LicenseConfigurationArns) > 0 ||
		len(d.LaunchTemplateConfigurations) > 0 || len(d.FastLaunchConfigurations) > 0 ||
		len(d.SsmParameterConfigurations) > 0
}

func checkDistribution(field string, d model.Distribution, account string, quotas Quotas) error {
	if err := checkAMIDistribution(field+".amiDistributionConfiguration", d.AmiDistributionConfiguration); err != nil {
		return err
	}
	if err := checkContainerTags(field+".containerDistributionConfiguration", d.ContainerDistributionConfiguration); err != nil {
		return err
	}
	if err := quotas.checkRegion(d.Region, len(d.LaunchTemplateConfigurations), len(d.SsmParameterConfigurations)); err != nil {
		return err
	}
	for i, f := range d.FastLaunchConfigurations {
		if t := f.LaunchTemplate; t != nil && t.LaunchTemplateId != "" && t.LaunchTemplateName != "" {
			return Errorf(CodeCombination, "The parameter '%s.fastLaunchConfigurations[%d].launchTemplate' takes an id or a name, not both.", field, i)
		}
	}
	return checkSSMParameters(field+".ssmParameterConfigurations", d, account)
}

func checkAMIDistribution(field string, c *model.AmiDistributionConfiguration) error {
	if c == nil {
		return nil
	}
	if c.Name != "" && !hasBuildDate(c.Name) {
		return InvalidField(field+".name", "An AMI name must contain {{ imagebuilder:buildDate }}, so that each build gets its own.")
	}
	if err := checkPlaceholders(field+".name", c.Name); err != nil {
		return err
	}
	if err := checkPlaceholders(field+".description", c.Description); err != nil {
		return err
	}
	if err := checkAMITags(field+".amiTags", c.AmiTags); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(c.AmiTags)) {
		if err := checkPlaceholders(field+".amiTags."+key, c.AmiTags[key]); err != nil {
			return err
		}
	}
	if p := c.LaunchPermission; p != nil {
		for i, group := range p.UserGroups {
			if group != "all" {
				return InvalidField(fmt.Sprintf("%s.launchPermission.userGroups[%d]", field, i), "The only group is 'all', not '%s'.", group)
			}
		}
	}
	return nil
}

func checkContainerTags(field string, c *model.ContainerDistributionConfiguration) error {
	if c == nil {
		return nil
	}
	sample := Placeholders{BuildVersion: 1}
	for i, tag := range c.ContainerTags {
		at := fmt.Sprintf("%s.containerTags[%d]", field, i)
		expanded, err := sample.Expand(tag)
		if err != nil {
			return InvalidField(at, "%s", err)
		}
		if !imageTag.MatchString(expanded) {
			return InvalidField(at, "'%s' is not an image tag: letters, digits and _ . -, at most 128.", tag)
		}
	}
	return nil
}

func checkSSMParameters(field string, d model.Distribution, account string) error {
	var targets []string
	if d.AmiDistributionConfiguration != nil {
		targets = d.AmiDistributionConfiguration.TargetAccountIds
	}
	type parameter struct{ account, name string }
	seen := map[parameter]bool{}
	for i, p := range d.SsmParameterConfigurations {
		owner := p.AmiAccountId
		if owner == "" {
			owner = account
		}
		if owner != account && !slices.Contains(targets, owner) {
			return Errorf(CodeCombination, "The account '%s' of '%s[%d].amiAccountId' gets no copy: it is not in 'targetAccountIds'.", owner, field, i)
		}
		if key := (parameter{owner, p.ParameterName}); seen[key] {
			return InvalidField(fmt.Sprintf("%s[%d].parameterName", field, i), "The parameter '%s' is written twice for one account.", p.ParameterName)
		} else {
			seen[key] = true
		}
	}
	return nil
}
