package api

import (
	"context"
	"fmt"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/schedule"
)

func (s *Server) registerPipelines() {
	write(s, "CreateImagePipeline", s.createImagePipeline)
	write(s, "UpdateImagePipeline", s.updateImagePipeline)
	write(s, "DeleteImagePipeline", s.deleteImagePipeline)
	write(s, "StartImagePipelineExecution", s.startImagePipelineExecution)
	read(s, "GetImagePipeline", s.getImagePipeline)
	read(s, "ListImagePipelines", s.listImagePipelines)
	read(s, "ListImagePipelineImages", s.listImagePipelineImages)
}

func (s *Server) createImagePipeline(ctx context.Context, tx ingot.Tx, in *model.CreateImagePipelineRequest) (*model.CreateImagePipelineResponse, error) {
	if err := checkSchedule(in.Schedule); err != nil {
		return nil, err
	}
	arn := newARN(ctx, ingot.KindPipeline, in.Name, ingot.Version{})
	p := &model.ImagePipeline{
		Name: in.Name, Description: in.Description, ImageRecipeArn: in.ImageRecipeArn, ContainerRecipeArn: in.ContainerRecipeArn,
		InfrastructureConfigurationArn: in.InfrastructureConfigurationArn, DistributionConfigurationArn: in.DistributionConfigurationArn,
		ImageTestsConfiguration: in.ImageTestsConfiguration, EnhancedImageMetadataEnabled: in.EnhancedImageMetadataEnabled,
		Schedule: in.Schedule, Status: in.Status, ImageTags: in.ImageTags, ImageScanningConfiguration: in.ImageScanningConfiguration,
		Workflows: in.Workflows, ExecutionRole: in.ExecutionRole, LoggingConfiguration: in.LoggingConfiguration,
	}
	if err := ingot.CreatePipeline(ctx, tx, arn, p, in.Tags, s.Now()); err != nil {
		return nil, err
	}
	s.rescheduleAfterCommit(ctx)
	return &model.CreateImagePipelineResponse{ImagePipelineArn: arn.String()}, nil
}

func (s *Server) updateImagePipeline(ctx context.Context, tx ingot.Tx, in *model.UpdateImagePipelineRequest) (*model.UpdateImagePipelineResponse, error) {
	arn, err := ownARN(ctx, "imagePipelineArn", in.ImagePipelineArn)
	if err != nil {
		return nil, err
	}
	if err := checkSchedule(in.Schedule); err != nil {
		return nil, err
	}
	p := &model.ImagePipeline{
		Description: in.Description, ImageRecipeArn: in.ImageRecipeArn, ContainerRecipeArn: in.ContainerRecipeArn,
		InfrastructureConfigurationArn: in.InfrastructureConfigurationArn, DistributionConfigurationArn: in.DistributionConfigurationArn,
		ImageTestsConfiguration: in.ImageTestsConfiguration, EnhancedImageMetadataEnabled: in.EnhancedImageMetadataEnabled,
		Schedule: in.Schedule, Status: in.Status, ImageTags: in.ImageTags, ImageScanningConfiguration: in.ImageScanningConfiguration,
		Workflows: in.Workflows, ExecutionRole: in.ExecutionRole, LoggingConfiguration: in.LoggingConfiguration,
	}
	if err := ingot.ReplacePipeline(ctx, tx, arn, p, s.Now()); err != nil {
		return nil, err
	}
	s.rescheduleAfterCommit(ctx)
	return &model.UpdateImagePipelineResponse{ImagePipelineArn: arn.String()}, nil
}

// rescheduleAfterCommit tells the scheduler of a pipeline that may be due
// before what it waits for. A crash loses it: a start looks at what is due.
func (s *Server) rescheduleAfterCommit(ctx context.Context) {
	if s.Scheduler != nil {
		afterCommit(ctx, func(context.Context) { s.Scheduler.Changed() })
	}
}

// checkSchedule checks what only the parser of expressions knows. Source: api.md §5.1.
func checkSchedule(in *model.Schedule) error {
	if in == nil {
		return nil
	}
	if in.ScheduleExpression == "" && in.AutoDisablePolicy != nil {
		return ingot.Errorf(ingot.CodeCombination, "The parameter 'schedule.autoDisablePolicy' needs 'schedule.scheduleExpression'.")
	}
	if _, err := schedule.Zone(in.Timezone); err != nil {
		return ingot.InvalidField("schedule.timezone", "There is no time zone '%s'. Give an IANA name such as Europe/Berlin.", in.Timezone)
	}
	if in.ScheduleExpression == "" {
		return nil
	}
	if _, err := schedule.Parse(in.ScheduleExpression); err != nil {
		return ingot.InvalidField("schedule.scheduleExpression", "%s.", err)
	}
	return nil
}

func (s *Server) deleteImagePipeline(ctx context.Context, tx ingot.Tx, in *model.DeleteImagePipelineRequest) (*model.DeleteImagePipelineResponse, error) {
	arn, err := ownARN(ctx, "imagePipelineArn", in.ImagePipelineArn)
	if err != nil {
		return nil, err
	}
	return &model.DeleteImagePipelineResponse{ImagePipelineArn: arn.String()}, tx.Delete(ctx, arn)
}

func (s *Server) startImagePipelineExecution(ctx context.Context, tx ingot.Tx, in *model.StartImagePipelineExecutionRequest) (*model.StartImagePipelineExecutionResponse, error) {
	arn, err := ownARN(ctx, "imagePipelineArn", in.ImagePipelineArn)
	if err != nil {
		return nil, err
	}
	image, err := ingot.StartPipeline(ctx, tx, tx, arn, model.BuildTypeUserInitiated, in.Tags, s.Now())
	if err != nil {
		return nil, err
	}
	s.startAfterCommit(ctx, image)
	return &model.StartImagePipelineExecutionResponse{ImageBuildVersionArn: image.String()}, nil
}

func (s *Server) getImagePipeline(ctx context.Context, in *model.GetImagePipelineRequest) (*model.GetImagePipelineResponse, error) {
	arn, err := visibleARN(ctx, "imagePipelineArn", in.ImagePipelineArn)
	if err != nil {
		return nil, err
	}
	record, err := s.Store.Get(ctx, arn)
	if err != nil {
		return nil, err
	}
	p, err := s.pipeline(ctx, record)
	return &model.GetImagePipelineResponse{ImagePipeline: p}, err
}

// pipeline is a stored pipeline with what is known when it is read.
func (s *Server) pipeline(ctx context.Context, record ingot.Record) (*model.ImagePipeline, error) {
	p, err := ingot.Decode[model.ImagePipeline](record)
	if err != nil {
		return nil, err
	}
	p.Tags = record.Tags
	if p.LastRunStatus, err = ingot.LastRunStatus(ctx, s.Store, record.ARN, p); err != nil {
		return nil, fmt.Errorf("reading the last run of %s: %w", record.ARN, err)
	}
	next, ok, err := schedule.NextRun(record, p, s.Now())
	if err != nil {
		return nil, fmt.Errorf("reading the schedule of %s: %w", record.ARN, err)
	}
	if ok {
		p.DateNextRun = model.DateTime(next)
	}
	return p, nil
}

func (s *Server) listImagePipelines(ctx context.Context, in *model.ListImagePipelinesRequest) (*model.ListImagePipelinesResponse, error) {
	selected, err := filters(in.Filters, ingot.FilterDescription, ingot.FilterDistribution, ingot.FilterImageRecipe,
		ingot.FilterContainerRecipe, ingot.FilterInfrastructure, ingot.FilterName, ingot.FilterStatus)
	if err != nil {
		return nil, err
	}
	page, err := s.Store.List(ctx, ingot.Query{
		Scope: callerOf(ctx).Scope, Kind: ingot.KindPipeline, Filters: selected,
		After: in.NextToken, Limit: pageSize(in.MaxResults),
	})
	if err != nil {
		return nil, err
	}
	out := &model.ListImagePipelinesResponse{NextToken: page.Next}
	for _, record := range page.Records {
		p, err := s.pipeline(ctx, record)
		if err != nil {
			return nil, err
		}
		out.ImagePipelineList = append(out.ImagePipelineList, *p)
	}
	return out, nil
}

func (s *Server) listImagePipelineImages(ctx context.Context, in *model.ListImagePipelineImagesRequest) (*model.ListImagePipelineImagesResponse, error) {
	arn, err := visibleARN(ctx, "imagePipelineArn", in.ImagePipelineArn)
	if err != nil {
		return nil, err
	}
	selected, err := filters(in.Filters, ingot.FilterName, ingot.FilterVersion)
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Get(ctx, arn); err != nil {
		return nil, err
	}
	q := ingot.PipelineImages(arn, pageSize(in.MaxResults))
	q.Filters, q.After = append(q.Filters, selected...), in.NextToken
	list, next, err := s.imageSummaries(ctx, q)
	return &model.ListImagePipelineImagesResponse{ImageSummaryList: list, NextToken: next}, err
}
