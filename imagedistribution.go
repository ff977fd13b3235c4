package ingot

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

// distributed is an AMI to distribute, and what the image is called that
// tracks it.
type distributed struct {
	ami       AMI
	name      string
	version   Version
	platform  model.Platform
	osVersion string
}

// DistributeImage stores a PENDING image that tracks the distribution of an AMI
// that exists; it has no recipe and goes straight to DISTRIBUTING. by is the
// namespace that asks. Source: api.md §3.7, distribution.md §10.
func DistributeImage(ctx context.Context, tx Tx, parameters ParameterStore, by ARN, in *model.DistributeImageRequest, now time.Time) (ARN, error) {
	if err := checkImport(in.LoggingConfiguration, in.ExecutionRole, in.Tags); err != nil {
		return ARN{}, err
	}
	source, err := findSource(ctx, tx, parameters, by, in.SourceImage)
	if err != nil {
		return ARN{}, err
	}
	c, err := copyOf[model.DistributionConfiguration](ctx, tx, by, "distributionConfigurationArn", in.DistributionConfigurationArn, KindDistribution)
	if err != nil {
		return ARN{}, err
	}
	if err := checkBuildQuota(ctx, tx, by.Scope()); err != nil {
		return ARN{}, err
	}
	arn := by
	arn.Kind, arn.Name, arn.Version = KindImage, NormalizeName(source.name), source.version
	build, err := tx.NextBuild(ctx, arn)
	if err != nil {
		return ARN{}, err
	}
	arn = arn.WithBuild(build)
	image := &model.Image{
		Arn: arn.String(), Version: imageVersion(arn), Type: model.ImageTypeAmi, Name: source.name,
		Platform: source.platform, OsVersion: source.osVersion, State: &model.ImageState{Status: model.ImageStatusPending},
		DistributionConfiguration: c.document, DateCreated: model.DateTime(now),
		OutputResources: &model.OutputResources{Amis: []model.Ami{}}, BuildType: model.BuildTypeUserInitiated,
		ImageSource: model.ImageSourceCustom, ExecutionRole: in.ExecutionRole, LoggingConfiguration: in.LoggingConfiguration,
	}
	r := Record{
		ARN: arn, Name: image.Name, Status: string(image.State.Status), Created: now, Updated: now, Tags: in.Tags,
		Attributes: map[string][]string{attributeSource: {source.ami.ID}},
	}
	if err := putImage(&r, image); err != nil {
		return ARN{}, err
	}
	return arn, tx.Create(ctx, r)
}

// DistributedAMI is the id of the AMI that an image made by DistributeImage
// distributes; empty for an image that is built.
func DistributedAMI(r Record) string {
	for _, id := range r.Attributes[attributeSource] {
		return id
	}
	return ""
}

// findSource finds the AMI to distribute: by its id, a parameter that holds
// one, or an image.
func findSource(ctx context.Context, tx Tx, parameters ParameterStore, by ARN, text string) (distributed, error) {
	id := text
	switch {
	case strings.HasPrefix(text, "arn:"):
		return findSourceImage(ctx, tx, by, text)
	case strings.HasPrefix(text, ParameterReference) && len(text) > len(ParameterReference):
		p, err := ResolveParameter(ctx, parameters, by.Scope(), text)
		if err != nil {
			return distributed{}, err
		}
		id = p.Value
	case !amiID.MatchString(text):
		return distributed{}, InvalidField("sourceImage", "'%s' is neither an AMI id, an image ARN nor an ssm: parameter.", text)
	}
	ami, err := findSourceAMI(ctx, tx, by, id)
	if err != nil {
		return distributed{}, err
	}
	return distributed{ami, imageNameOf(ami), NewVersion(1, 0, 0), model.Platform(ami.Platform), ami.OSVersion}, nil
}

func findSourceAMI(ctx context.Context, tx Tx, by ARN, id string) (AMI, error) {
	ami, err := tx.FindAMI(ctx, by.Scope(), id)
	if ErrorCode(err) == CodeNotFound {
		return ami, Errorf(CodeNotFound, "The AMI '%s' does not exist in %s.", id, by.Region)
	}
	if err != nil {
		return ami, fmt.Errorf("looking up %s: %w", id, err)
	}
	return ami, ami.CheckLaunch()
}

var notInNames = regexp.MustCompile(`[^-_A-Za-z0-9 ]+`)

// imageNameOf is an AMI's name as that of an image: legal characters, at least
// three. An AMI's name has 128 at most. Source: api.md §3.7.
func imageNameOf(ami AMI) string {
	name := strings.Trim(notInNames.ReplaceAllString(ami.Name, "-"), " ")
	if len(name) < 3 {
		return strings.TrimSpace(ami.ID + " " + name)
	}
	return name
}

func findSourceImage(ctx context.Context, tx Tx, by ARN, text string) (distributed, error) {
	arn, err := referenceARN(by, "sourceImage", text, KindImage)
	if err != nil {
		return distributed{}, err
	}
	record, err := Find(ctx, tx, by.Account, arn, string(model.ImageStatusAvailable))
	if err != nil {
		return distributed{}, err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return distributed{}, err
	}
	if image.Type == model.ImageTypeDocker {
		return distributed{}, Errorf(CodeRequest, "'%s' is a container image; only AMIs are distributed apart from builds.", text)
	}
	if image.OutputResources != nil {
		for _, a := range image.OutputResources.Amis {
			if a.Region == by.Region && a.Image != "" {
				ami, err := findSourceAMI(ctx, tx, by, a.Image)
				return distributed{ami, image.Name, record.ARN.Version, image.Platform, image.OsVersion}, err
			}
		}
	}
	return distributed{}, Errorf(CodeNotFound, "The image '%s' has no AMI in %s.", record.ARN, by.Region)
}
