package build

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// delivery is how the AMI in the build's own region is registered.
type delivery struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags"`
}

// expand expands the distribution entry of the build's region.
func expand(arn ingot.ARN, image *model.Image, started time.Time) (delivery, error) {
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

// distribute carries out the distribution configuration, and makes the image
// AVAILABLE.
func (b *Builder) distribute(ctx context.Context, t task) (any, error) {
	if _, err := b.deliver(ctx, t); err != nil {
		return nil, err
	}
	return b.complete(ctx, t)
}

// complete makes the image AVAILABLE.
func (b *Builder) complete(ctx context.Context, t task) (any, error) {
	arn, err := ingot.ParseARN(t.Plan.Image)
	if err != nil {
		return nil, err
	}
	_, err = b.advance(ctx, arn, model.ImageStatusAvailable, func(image *model.Image) {
		for i := range image.OutputResources.Amis {
			image.OutputResources.Amis[i].State = &model.ImageState{Status: model.ImageStatusAvailable}
		}
	})
	return nil, atStage(err, distributing(err))
}

// deliver begins the distribution: the image has its AMI in its own region and
// account, and lists it. It returns the AMI's id.
func (b *Builder) deliver(ctx context.Context, t task) (string, error) {
	id, err := b.listOwn(ctx, t)
	return id, atStage(err, distributing(err))
}

// distributing says that the distribution failed with err.
func distributing(err error) *model.FailureContext {
	if err == nil {
		return nil
	}
	return &model.FailureContext{
		ImageStatus:         model.ImageStatusDistributing,
		DistributionFailure: &model.DistributionFailure{ErrorMessage: shorten(err.Error(), maxReason)},
	}
}

func (b *Builder) listOwn(ctx context.Context, t task) (string, error) {
	w, err := b.enter(ctx, t)
	if err != nil {
		return "", err
	}
	ami, err := w.ownAMI(ctx)
	if err := errors.Join(err, w.log.Close()); err != nil {
		return "", err
	}
	_, err = b.advance(ctx, w.image, model.ImageStatusDistributing, func(image *model.Image) {
		image.OutputResources = &model.OutputResources{Amis: []model.Ami{{
			Region: ami.Region, AccountId: ami.Account, Image: ami.ID, Name: ami.Name, Description: ami.Description,
			State: &model.ImageState{Status: model.ImageStatusAvailable},
		}}}
	})
	return ami.ID, err
}

// ownAMI is the AMI that the BUILD workflow made. Without such a workflow the
// image has one of its own over the parent's snapshot.
func (w *work) ownAMI(ctx context.Context) (ingot.AMI, error) {
	switch {
	case w.Image == "":
		return ingot.AMI{}, errNoImage
	case w.Image != w.Plan.Parent.ID:
		return w.ami(ctx, w.Image)
	}
	local, err := w.Regions.Region(w.image.Region)
	if err != nil {
		return ingot.AMI{}, err
	}
	return w.register(ctx, local, w.Plan.Parent)
}
