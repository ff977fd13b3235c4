package ingot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot/model"
)

// ImageRequest asks for an image build, by hand or by a pipeline.
type ImageRequest struct {
	model.CreateImageRequest // the client token aside
	BuildType                model.BuildType
	PipelineName             string // empty: no pipeline
	PipelineARN              string
}

// CreateImage stores a PENDING image with copies of all that it is made from;
// the record is the intent to build it. by is the namespace, or the pipeline,
// that asks. Source: api.md §3.7.
func CreateImage(ctx context.Context, tx Tx, amis RecipeLookup, by ARN, in ImageRequest, now time.Time) (ARN, error) {
	if err := checkImageRequest(ctx, tx, by, in); err != nil {
		return ARN{}, err
	}
	if in.ContainerRecipeArn != "" {
		return ARN{}, refuseContainerImage(ctx, tx, by, in)
	}
	recipe, err := copyOf[model.ImageRecipe](ctx, tx, by, "imageRecipeArn", in.ImageRecipeArn, KindImageRecipe)
	if err != nil {
		return ARN{}, err
	}
	image, err := newImage(ctx, tx, amis, by, in, recipe.document, now)
	if err != nil {
		return ARN{}, err
	}
	if err := checkBuildQuota(ctx, tx, by.Scope()); err != nil {
		return ARN{}, err
	}
	arn := recipe.arn
	arn.Kind, arn.Account = KindImage, by.Account // the recipe may be another account's
	build, err := tx.NextBuild(ctx, arn)
	if err != nil {
		return ARN{}, err
	}
	arn = arn.WithBuild(build)
	image.Arn, image.Version = arn.String(), imageVersion(arn)
	r := Record{ARN: arn, Name: image.Name, Status: string(image.State.Status), Created: now, Updated: now, Tags: in.Tags}
	if err := putImage(&r, image); err != nil {
		return ARN{}, err
	}
	if err := tx.Create(ctx, r); err != nil {
		return ARN{}, err
	}
	return arn, tellImageState(ctx, tx, arn, "", *image.State, now)
}

func checkImageRequest(ctx context.Context, r RecordReader, by ARN, in ImageRequest) error {
	if err := checkOneRecipe(in.ImageRecipeArn, in.ContainerRecipeArn); err != nil {
		return err
	}
	group := ""
	if in.LoggingConfiguration != nil {
		group = in.LoggingConfiguration.LogGroupName
	}
	if err := checkLogGroups(in.ExecutionRole, group); err != nil {
		return err
	}
	if err := checkScanning(in.ImageScanningConfiguration); err != nil {
		return err
	}
	if err := CheckTags("tags", in.Tags); err != nil {
		return err
	}
	return CheckWorkflows(ctx, r, by, recipeKind(in.ContainerRecipeArn), in.Workflows, in.ExecutionRole)
}

func checkOneRecipe(image, container string) error {
	if (image == "") == (container == "") {
		return Errorf(CodeCombination, "Exactly one of the parameters 'imageRecipeArn' and 'containerRecipeArn' must be given.")
	}
	return nil
}

// recipeKind is the kind of the one recipe that a request names.
func recipeKind(container string) Kind {
	if container != "" {
		return KindContainerRecipe
	}
	return KindImageRecipe
}

// refuseContainerImage checks what a request for a container image names, and
// then says that there is nothing here to build it.
func refuseContainerImage(ctx context.Context, r RecordReader, by ARN, in ImageRequest) error {
	if _, err := copyOf[model.ContainerRecipe](ctx, r, by, "containerRecipeArn", in.ContainerRecipeArn, KindContainerRecipe); err != nil {
		return err
	}
	if err := checkConfigurations(ctx, r, by, in.InfrastructureConfigurationArn, in.DistributionConfigurationArn); err != nil {
		return err
	}
	return Errorf(CodeNotImplemented, "This server does not build container images yet. Use an image recipe.")
}

// checkConfigurations checks that the configurations of a build are there.
func checkConfigurations(ctx context.Context, r RecordReader, by ARN, infrastructure, distribution string) error {
	if _, err := copyOf[model.InfrastructureConfiguration](ctx, r, by, "infrastructureConfigurationArn", infrastructure, KindInfrastructure); err != nil {
		return err
	}
	if distribution == "" {
		return nil
	}
	_, err := copyOf[model.DistributionConfiguration](ctx, r, by, "distributionConfigurationArn", distribution, KindDistribution)
	return err
}

// checkLogGroups checks log group names, of which empty ones are absent.
func checkLogGroups(role string, groups ...string) error {
	for _, g := range groups {
		if g != "" && role == "" && !strings.HasPrefix(g, "/aws/imagebuilder/") {
			return Errorf(CodeCombination, "The log group '%s' is not below /aws/imagebuilder/, which requires an executionRole.", g)
		}
	}
	return nil
}

// checkScanning refuses what this server has no scanner for.
func checkScanning(c *model.ImageScanningConfiguration) error {
	if c != nil && c.ImageScanningEnabled != nil && *c.ImageScanningEnabled {
		return Errorf(CodeRequest, "Amazon Inspector is not enabled: this server has no scanner. Leave imageScanningEnabled out.")
	}
	return nil
}

// resolved is a document and the ARN that a reference to it resolves to.
type resolved[T any] struct {
	arn      ARN
	document *T
}

// copyOf returns the document that a reference names, complete as from Get.
func copyOf[T any](ctx context.Context, r RecordReader, by ARN, field, reference string, kind Kind) (resolved[T], error) {
	arn, err := referenceARN(by, field, reference, kind)
	if err != nil {
		return resolved[T]{}, err
	}
	record, err := Find(ctx, r, by.Account, arn)
	if err != nil {
		return resolved[T]{}, err
	}
	document, err := Decode[T](record)
	if err != nil {
		return resolved[T]{}, err
	}
	setTags(document, record.Tags)
	return resolved[T]{record.ARN, document}, nil
}

// setTags completes a document with the tags that the store keeps apart.
func setTags(document any, tags map[string]string) {
	switch d := document.(type) {
	case *model.ImageRecipe:
		d.Tags = tags
	case *model.ContainerRecipe:
		d.Tags = tags
	case *model.InfrastructureConfiguration:
		d.Tags = tags
	case *model.DistributionConfiguration:
		d.Tags = tags
	}
}

// newImage is the document of a new image, without ARN and version.
func newImage(ctx context.Context, r RecordReader, amis RecipeLookup, by ARN, in ImageRequest, recipe *model.ImageRecipe, now time.Time) (*model.Image, error) {
	infrastructure, err := copyOf[model.InfrastructureConfiguration](ctx, r, by, "infrastructureConfigurationArn", in.InfrastructureConfigurationArn, KindInfrastructure)
	if err != nil {
		return nil, err
	}
	var distribution resolved[model.DistributionConfiguration]
	if in.DistributionConfigurationArn != "" {
		distribution, err = copyOf[model.DistributionConfiguration](ctx, r, by, "distributionConfigurationArn", in.DistributionConfigurationArn, KindDistribution)
		if err != nil {
			return nil, err
		}
		if err := checkWatermarks(recipe, distribution.document); err != nil {
			return nil, err
		}
	}
	base, err := findParent(ctx, amis, by, recipe.ParentImage)
	if code := ErrorCode(err); err != nil && code != CodeInvalid && code != CodeNotFound {
		return nil, err // a parent that does not resolve now fails the build, with the reason
	}
	image := &model.Image{
		Type: model.ImageTypeAmi, Name: recipe.Name, Platform: recipe.Platform, OsVersion: base.osVersion,
		State:       &model.ImageState{Status: model.ImageStatusPending},
		ImageRecipe: recipe, InfrastructureConfiguration: infrastructure.document, DistributionConfiguration: distribution.document,
		SourcePipelineName: in.PipelineName, SourcePipelineArn: in.PipelineARN,
		ImageTestsConfiguration:      completeTests(in.ImageTestsConfiguration),
		EnhancedImageMetadataEnabled: orTrue(in.EnhancedImageMetadataEnabled),
		DateCreated:                  model.DateTime(now), OutputResources: &model.OutputResources{Amis: []model.Ami{}},
		BuildType: in.BuildType, ImageSource: sourceOf(recipe.ParentImage),
		ImageScanningConfiguration: in.ImageScanningConfiguration, LoggingConfiguration: in.LoggingConfiguration,
		ExecutionRole: in.ExecutionRole, Workflows: in.Workflows,
	}
	if image.ExecutionRole == "" {
		image.ExecutionRole = serviceRole(by)
	}
	if len(image.Workflows) == 0 {
		image.Workflows = DefaultWorkflows(by.Partition, by.Region, *image.ImageTestsConfiguration.ImageTestsEnabled)
	}
	return image, nil
}

// checkWatermarks keeps watermarked AMIs from being made public. Source: api.md §3.2.
func checkWatermarks(recipe *model.ImageRecipe, c *model.DistributionConfiguration) error {
	if len(recipe.AmiWatermarks) == 0 {
		return nil
	}
	for i, d := range c.Distributions {
		a := d.AmiDistributionConfiguration
		if a != nil && a.LaunchPermission != nil && slices.Contains(a.LaunchPermission.UserGroups, "all") {
			return Errorf(CodeCombination, "The recipe has amiWatermarks, so distributions[%d] cannot make its AMI public.", i)
		}
	}
	return nil
}

// serviceRole is the service-linked role of an account.
func serviceRole(by ARN) string {
	return fmt.Sprintf("arn:%s:iam::%s:%simagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder", by.Partition, by.Account, serviceRolePath)
}

const serviceRolePath = "role/aws-service-role/"

// IsServiceRole reports whether a role is one that is linked to a service.
func IsServiceRole(role string) bool { return strings.Contains(role, serviceRolePath) }

// sourceOf is the member imageSource: where the parent image comes from.
func sourceOf(parentImage string) model.ImageSource {
	if arn, err := ParseARN(parentImage); err == nil && arn.IsManaged() {
		return model.ImageSourceAmazonManaged
	}
	return model.ImageSourceCustom
}

// completeTests fills in the defaults of a test configuration. Source: api.md §3.6.
func completeTests(c *model.ImageTestsConfiguration) *model.ImageTestsConfiguration {
	complete := model.ImageTestsConfiguration{ImageTestsEnabled: new(true), TimeoutMinutes: new(720)}
	if c != nil && c.ImageTestsEnabled != nil {
		complete.ImageTestsEnabled = c.ImageTestsEnabled
	}
	if c != nil && c.TimeoutMinutes != nil {
		complete.TimeoutMinutes = c.TimeoutMinutes
	}
	return &complete
}

func orTrue(b *bool) *bool {
	if b == nil {
		return new(true)
	}
	return b
}
