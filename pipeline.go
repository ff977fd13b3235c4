package ingot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ingot.dev/ingot/model"
)

// Filters of pipelines beside name, status and description.
const (
	FilterImageRecipe     = "imageRecipeArn"
	FilterContainerRecipe = "containerRecipeArn"
	FilterInfrastructure  = "infrastructureConfigurationArn"
	FilterDistribution    = "distributionConfigurationArn"
)

// CreatePipeline stores a new pipeline. Its schedule has been checked.
// Source: api.md §3.6.
func CreatePipeline(ctx context.Context, tx Tx, arn ARN, p *model.ImagePipeline, tags map[string]string, now time.Time) error {
	p.Arn, p.DateCreated, p.DateUpdated = arn.String(), model.DateTime(now), model.DateTime(now)
	if err := CheckTags("tags", tags); err != nil {
		return err
	}
	if err := completePipeline(ctx, tx, arn, p); err != nil {
		return err
	}
	r := Record{ARN: arn, Name: p.Name, Created: now, Updated: now, Tags: tags}
	if err := putPipeline(&r, p); err != nil {
		return err
	}
	if err := checkFree(ctx, tx, arn); err != nil {
		return err
	}
	if err := CheckQuota(ctx, tx, arn.Scope(), KindPipeline); err != nil {
		return err
	}
	if err := tx.Create(ctx, r); err != nil {
		return err
	}
	return setDue(ctx, tx, arn, p)
}

// ReplacePipeline puts p in the place of a stored pipeline, of which name,
// creation and last run stay. Source: api.md §3.6.
func ReplacePipeline(ctx context.Context, tx Tx, arn ARN, p *model.ImagePipeline, now time.Time) error {
	if err := checkOneRecipe(p.ImageRecipeArn, p.ContainerRecipeArn); err != nil {
		return err
	}
	record, err := tx.Get(ctx, arn)
	if err != nil {
		return err
	}
	old, err := Decode[model.ImagePipeline](record)
	if err != nil {
		return err
	}
	if (old.ImageRecipeArn == "") != (p.ImageRecipeArn == "") {
		return InvalidField("imageRecipeArn", "A pipeline keeps its kind of recipe. Make a new pipeline for the other kind.")
	}
	p.Arn, p.Name, p.DateCreated, p.DateLastRun = old.Arn, old.Name, old.DateCreated, old.DateLastRun
	p.DateUpdated = model.DateTime(now)
	if err := completePipeline(ctx, tx, arn, p); err != nil {
		return err
	}
	if _, err = tx.Update(ctx, arn, nil, func(r *Record) error {
		r.Updated = now
		return putPipeline(r, p)
	}); err != nil {
		return err
	}
	return setDue(ctx, tx, arn, p)
}

// completePipeline checks a pipeline and its references, and fills in defaults.
func completePipeline(ctx context.Context, r RecordReader, arn ARN, p *model.ImagePipeline) error {
	if err := checkPipeline(ctx, r, arn, p); err != nil {
		return err
	}
	platform, err := recipePlatform(ctx, r, arn, p)
	if err != nil {
		return err
	}
	p.Platform = platform
	if err := checkConfigurations(ctx, r, arn, p.InfrastructureConfigurationArn, p.DistributionConfigurationArn); err != nil {
		return err
	}
	p.ImageTestsConfiguration = completeTests(p.ImageTestsConfiguration)
	p.EnhancedImageMetadataEnabled = orTrue(p.EnhancedImageMetadataEnabled)
	if p.Status == "" {
		p.Status = model.PipelineStatusEnabled
	}
	completeSchedule(p)
	return nil
}

// recipePlatform resolves the recipe of a pipeline, of either kind.
func recipePlatform(ctx context.Context, r RecordReader, arn ARN, p *model.ImagePipeline) (model.Platform, error) {
	if p.ContainerRecipeArn != "" {
		recipe, err := copyOf[model.ContainerRecipe](ctx, r, arn, "containerRecipeArn", p.ContainerRecipeArn, KindContainerRecipe)
		if err != nil {
			return "", err
		}
		return recipe.document.Platform, nil
	}
	recipe, err := copyOf[model.ImageRecipe](ctx, r, arn, "imageRecipeArn", p.ImageRecipeArn, KindImageRecipe)
	if err != nil {
		return "", err
	}
	return recipe.document.Platform, nil
}

func checkPipeline(ctx context.Context, r RecordReader, arn ARN, p *model.ImagePipeline) error {
	if err := checkOneRecipe(p.ImageRecipeArn, p.ContainerRecipeArn); err != nil {
		return err
	}
	if l := p.LoggingConfiguration; l != nil {
		if err := checkLogGroups(p.ExecutionRole, l.ImageLogGroupName, l.PipelineLogGroupName); err != nil {
			return err
		}
	}
	if err := checkScanning(p.ImageScanningConfiguration); err != nil {
		return err
	}
	if err := CheckTags("imageTags", p.ImageTags); err != nil {
		return err
	}
	return CheckWorkflows(ctx, r, arn, recipeKind(p.ContainerRecipeArn), p.Workflows, p.ExecutionRole)
}

// completeSchedule drops a schedule without expression and fills in defaults.
// Source: api.md §3.6, §5.1.
func completeSchedule(p *model.ImagePipeline) {
	s := p.Schedule
	if s == nil || s.ScheduleExpression == "" {
		p.Schedule = nil
		return
	}
	if s.PipelineExecutionStartCondition == "" {
		s.PipelineExecutionStartCondition = model.PipelineExecutionStartConditionExpressionMatchAndDependencyUpdatesAvailable
	}
	if s.AutoDisablePolicy != nil {
		p.ConsecutiveFailures = new(0)
	}
}

// putPipeline makes p the document of a record, with what it is found by.
func putPipeline(r *Record, p *model.ImagePipeline) (err error) {
	r.Status = string(p.Status)
	r.Attributes = map[string][]string{
		FilterDescription:     present(p.Description),
		FilterImageRecipe:     present(p.ImageRecipeArn),
		FilterContainerRecipe: present(p.ContainerRecipeArn),
		FilterInfrastructure:  present(p.InfrastructureConfigurationArn),
		FilterDistribution:    present(p.DistributionConfigurationArn),
	}
	r.References = nil
	for _, ref := range []string{p.ImageRecipeArn, p.ContainerRecipeArn, p.InfrastructureConfigurationArn, p.DistributionConfigurationArn} {
		r.References = append(r.References, present(ref)...)
	}
	for _, w := range p.Workflows {
		r.References = append(r.References, w.WorkflowArn)
	}
	if r.Document, err = json.Marshal(p); err != nil {
		return fmt.Errorf("encoding %s: %w", r.ARN, err)
	}
	return nil
}

// StartPipeline creates an image from a pipeline as it is now, with the given
// tags and build type. Source: api.md §3.6, §5.7.
func StartPipeline(ctx context.Context, tx Tx, amis RecipeLookup, arn ARN, buildType model.BuildType, tags map[string]string, now time.Time) (ARN, error) {
	record, err := tx.Get(ctx, arn)
	if err != nil {
		return ARN{}, err
	}
	p, err := Decode[model.ImagePipeline](record)
	if err != nil {
		return ARN{}, err
	}
	in := ImageRequest{BuildType: buildType, PipelineName: p.Name, PipelineARN: p.Arn, CreateImageRequest: model.CreateImageRequest{
		ImageRecipeArn: p.ImageRecipeArn, ContainerRecipeArn: p.ContainerRecipeArn,
		InfrastructureConfigurationArn: p.InfrastructureConfigurationArn, DistributionConfigurationArn: p.DistributionConfigurationArn,
		ImageTestsConfiguration: p.ImageTestsConfiguration, EnhancedImageMetadataEnabled: p.EnhancedImageMetadataEnabled,
		Tags: tags, Workflows: p.Workflows, ExecutionRole: p.ExecutionRole,
	}}
	if l := p.LoggingConfiguration; l != nil && l.ImageLogGroupName != "" {
		in.LoggingConfiguration = &model.ImageLoggingConfiguration{LogGroupName: l.ImageLogGroupName}
	}
	image, err := CreateImage(ctx, tx, amis, arn, in, now)
	if err != nil {
		return ARN{}, err
	}
	_, err = tx.Update(ctx, arn, nil, func(r *Record) error {
		p.DateLastRun = model.DateTime(now)
		return putPipeline(r, p)
	})
	return image, err
}

// LastRunStatus is the status of the image that a pipeline started last; empty
// before the first run and when that image is gone. Source: api.md §5.6.
func LastRunStatus(ctx context.Context, r RecordReader, arn ARN, p *model.ImagePipeline) (model.ImageStatus, error) {
	if p.DateLastRun == "" {
		return "", nil
	}
	page, err := r.List(ctx, PipelineImages(arn, 1))
	if err != nil || len(page.Records) == 0 {
		return "", err
	}
	if newest := page.Records[0]; model.DateTime(newest.Created) == p.DateLastRun {
		return model.ImageStatus(newest.Status), nil
	}
	return "", nil
}

// PipelineImages selects the images of a pipeline, newest first.
func PipelineImages(pipeline ARN, limit int) Query {
	return Query{
		Scope: pipeline.Scope(), Kind: KindImage, Newest: true, Limit: limit,
		Filters: []Filter{{Name: FilterSource, Values: []string{pipeline.String()}}},
	}
}
