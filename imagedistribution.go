package ingot

import (
	"context"
	"fmt"
	"strings"

	"ingot.dev/ingot/model"
)

// DistributeImage checks a request, of the namespace by, to distribute an
// image that exists. The distribution itself is CodeNotImplemented.
// Source: api.md §3.7.
func DistributeImage(ctx context.Context, r RecipeLookup, by ARN, in *model.DistributeImageRequest) error {
	if err := checkImport(in.LoggingConfiguration, in.ExecutionRole, in.Tags); err != nil {
		return err
	}
	if err := checkSource(ctx, r, by, in.SourceImage); err != nil {
		return err
	}
	_, err := copyOf[model.DistributionConfiguration](ctx, r, by, "distributionConfigurationArn", in.DistributionConfigurationArn, KindDistribution)
	if err != nil {
		return err
	}
	return Errorf(CodeNotImplemented, "This server does not distribute images apart from builds yet. Build the image with the distribution configuration.")
}

// checkSource checks that an image to distribute exists. An ssm: parameter
// would be read when the work begins.
func checkSource(ctx context.Context, r RecipeLookup, by ARN, text string) error {
	switch {
	case strings.HasPrefix(text, "arn:"):
		return checkSourceImage(ctx, r, by, text)
	case strings.HasPrefix(text, "ssm:") && len(text) > len("ssm:"):
		return nil
	case !amiID.MatchString(text):
		return InvalidField("sourceImage", "'%s' is neither an AMI id, an image ARN nor an ssm: parameter.", text)
	}
	_, err := r.FindAMI(ctx, by.Scope(), text)
	if ErrorCode(err) == CodeNotFound {
		return Errorf(CodeNotFound, "The AMI '%s' does not exist in %s.", text, by.Region)
	}
	if err != nil {
		return fmt.Errorf("looking up %s: %w", text, err)
	}
	return nil
}

func checkSourceImage(ctx context.Context, r RecordReader, by ARN, text string) error {
	arn, err := referenceARN(by, "sourceImage", text, KindImage)
	if err != nil {
		return err
	}
	record, err := Find(ctx, r, by.Account, arn, string(model.ImageStatusAvailable))
	if err != nil {
		return err
	}
	image, err := Decode[model.Image](record)
	if err != nil {
		return err
	}
	if image.Type == model.ImageTypeDocker {
		return Errorf(CodeRequest, "'%s' is a container image; only AMIs are distributed apart from builds.", text)
	}
	return nil
}
