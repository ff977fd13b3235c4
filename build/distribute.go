package build

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/disk"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
)

// delivery is how the AMI in the build's own region is registered.
type delivery struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags"`
}

// deliver expands the distribution entry of the build's region.
func deliver(arn ingot.ARN, image *model.Image, started time.Time) (delivery, error) {
	values := ingot.Placeholders{BuildDate: started, BuildVersion: arn.Build}
	entry, err := localEntry(arn, image.DistributionConfiguration)
	if err != nil {
		return delivery{}, err
	}
	d := delivery{Name: entry.Name, Description: entry.Description}
	if d.Name == "" {
		d.Name = image.Name + " {{imagebuilder:buildDate}}"
	}
	if d.Description == "" {
		d.Description = image.ImageRecipe.Description
	}
	if d.Name, err = values.Expand(d.Name); err != nil {
		return delivery{}, fmt.Errorf("naming the AMI: %w", err)
	}
	if !amiName.MatchString(d.Name) {
		return delivery{}, ingot.Errorf(ingot.CodeInvalid, "the AMI's name %q must have 3 to 128 letters, digits, blanks and ( ) [ ] . / - ' @ _", d.Name)
	}
	if d.Description, err = values.Expand(d.Description); err != nil {
		return delivery{}, fmt.Errorf("describing the AMI: %w", err)
	}
	d.Tags, err = amiTags(values, arn, image.ImageRecipe.AmiTags, entry.AmiTags)
	return d, err
}

// amiName is the form of an AMI's name. Source: distribution.md §3.1.
var amiName = regexp.MustCompile(`^[A-Za-z0-9 ()\[\]./\-'@_]{3,128}$`)

// amiTags joins the tags of recipe and distribution, of which the later win.
// Source: distribution.md §3.3.
func amiTags(values ingot.Placeholders, arn ingot.ARN, sets ...map[string]string) (map[string]string, error) {
	tags := ownTags(arn.String())
	for _, set := range sets {
		for key, value := range set {
			expanded, err := values.Expand(value)
			if err != nil {
				return nil, fmt.Errorf("expanding the AMI's tag %s: %w", key, err)
			}
			tags[key] = expanded
		}
	}
	return tags, nil
}

// ownTags mark everything a build makes. Source: api.md §8.5.
func ownTags(image string) map[string]string {
	return map[string]string{"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image}
}

// localEntry finds the entry of the build's region, and refuses a
// configuration that asks for more than a registration there.
func localEntry(arn ingot.ARN, c *model.DistributionConfiguration) (model.AmiDistributionConfiguration, error) {
	entry := model.AmiDistributionConfiguration{}
	if c == nil {
		return entry, nil
	}
	for i, d := range c.Distributions {
		if member := unsupported(arn, d); member != "" {
			return entry, ingot.Errorf(ingot.CodeNotImplemented,
				"the distribution configuration asks for distributions[%d].%s: this server registers AMIs in the build's own region and account (%s, %s) only, so far",
				i, member, arn.Region, arn.Account)
		}
		if d.AmiDistributionConfiguration != nil {
			entry = *d.AmiDistributionConfiguration
		}
	}
	return entry, nil
}

// unsupported names the first member of an entry that is not built yet, or "".
func unsupported(arn ingot.ARN, d model.Distribution) string {
	ami := d.AmiDistributionConfiguration
	if ami == nil {
		ami = &model.AmiDistributionConfiguration{}
	}
	others := ami.TargetAccountIds
	if len(others) == 1 && others[0] == arn.Account {
		others = nil
	}
	members := []struct {
		name string
		used bool
	}{
		{"region (" + d.Region + ")", d.Region != arn.Region},
		{"amiDistributionConfiguration.targetAccountIds", len(others) > 0},
		{"amiDistributionConfiguration.launchPermission", ami.LaunchPermission != nil},
		{"containerDistributionConfiguration", d.ContainerDistributionConfiguration != nil},
		{"licenseConfigurationArns", len(d.LicenseConfigurationArns) > 0},
		{"launchTemplateConfigurations", len(d.LaunchTemplateConfigurations) > 0},
		{"s3ExportConfiguration", d.S3ExportConfiguration != nil},
		{"fastLaunchConfigurations", len(d.FastLaunchConfigurations) > 0},
		{"ssmParameterConfigurations", len(d.SsmParameterConfigurations) > 0},
	}
	for _, m := range members {
		if m.used {
			return m.name
		}
	}
	return ""
}

// distribute delivers what the build made.
func (b *Builder) distribute(ctx context.Context, t task) (any, error) {
	err := b.register(ctx, t)
	if err == nil {
		return nil, nil
	}
	return nil, atStage(err, &model.FailureContext{
		ImageStatus:         model.ImageStatusDistributing,
		DistributionFailure: &model.DistributionFailure{ErrorMessage: shorten(err.Error(), maxReason)},
	})
}

// register registers the AMI and makes the image AVAILABLE.
func (b *Builder) register(ctx context.Context, t task) error {
	if err := b.slots.take(ctx, t.Plan.Image); err != nil {
		return err
	}
	arn, err := ingot.ParseARN(t.Plan.Image)
	if err != nil {
		return err
	}
	if _, err := b.advance(ctx, arn, model.ImageStatusDistributing, nil); err != nil {
		return err
	}
	ami := t.ami(arn, b.Now())
	if err := b.checkNameFree(ctx, ami); err != nil {
		return err
	}
	local, err := b.Regions.Region(arn.Region)
	if err != nil {
		return err
	}
	if err := local.RegisterImage(ctx, ami); err != nil {
		return err
	}
	b.note(t.Plan.Image, "Registered %s as %q in %s", ami.ID, ami.Name, ami.Region)
	_, err = b.advance(ctx, arn, model.ImageStatusAvailable, func(image *model.Image) {
		image.OutputResources = &model.OutputResources{Amis: []model.Ami{{
			Region: arn.Region, AccountId: arn.Account, Image: ami.ID, Name: ami.Name, Description: ami.Description,
			State: &model.ImageState{Status: model.ImageStatusAvailable},
		}}}
	})
	return err
}

// ami is the finished image.
func (t task) ami(arn ingot.ARN, now time.Time) ingot.AMI {
	ami := t.Plan.Parent // what it starts from says how it starts
	ami.Scope = arn.Scope()
	ami.ID = region.AMIID(t.Plan.Image, arn.Region, disk.SnapshotID(t.Output.Snapshot))
	ami.Name, ami.Description, ami.Tags = t.Plan.AMI.Name, t.Plan.AMI.Description, maps.Clone(t.Plan.AMI.Tags)
	ami.Snapshot, ami.SizeBytes = t.Output.Snapshot, 0 // as large as the snapshot
	ami.ImageARN, ami.Parent = t.Plan.Image, t.Plan.Parent.ID
	ami.Created = now.UTC()
	return ami
}

// checkNameFree refuses a name that another AMI has. Source: distribution.md §3.1.
func (b *Builder) checkNameFree(ctx context.Context, ami ingot.AMI) error {
	other, err := b.Records.FindAMINamed(ctx, ami.Scope, ami.Name)
	switch {
	case ingot.ErrorCode(err) == ingot.CodeNotFound || err == nil && other.ID == ami.ID:
		return nil
	case err != nil:
		return fmt.Errorf("looking for AMIs named %q: %w", ami.Name, err)
	}
	return ingot.Errorf(ingot.CodeExists, "the AMI's name %q is that of %s; put {{imagebuilder:buildDate}} into the name", ami.Name, other.ID)
}
