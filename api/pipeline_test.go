package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder/types"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/model"
)

const pipelineARN = own + "image-pipeline/nightly"

// newPipeline creates the pipeline "Nightly", as changed.
func (f *factory) newPipeline(change ...func(*imagebuilder.CreateImagePipelineInput)) error {
	in := &imagebuilder.CreateImagePipelineInput{
		Name: aws.String("Nightly"), ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra,
	}
	for _, c := range change {
		c(in)
	}
	_, err := f.CreateImagePipeline(f.t.Context(), in)
	return err
}

func (f *factory) pipeline() *types.ImagePipeline {
	f.t.Helper()
	out, err := f.GetImagePipeline(f.t.Context(), &imagebuilder.GetImagePipelineInput{ImagePipelineArn: aws.String(pipelineARN)})
	if err != nil {
		f.t.Fatal(err)
	}
	return out.ImagePipeline
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestListPipelines(t *testing.T) {
	f := newFactory(t)
	must(t, f.newPipeline())
	wantError(t, "CreateImagePipeline twice", f.newPipeline(), exists)
	list, err := f.ListImagePipelines(t.Context(), &imagebuilder.ListImagePipelinesInput{
		Filters: []types.Filter{{Name: aws.String("imageRecipeArn"), Values: []string{f.recipe}}, {Name: aws.String("status"), Values: []string{"ENABLED"}}},
	})
	if err != nil || len(list.ImagePipelineList) != 1 || *list.ImagePipelineList[0].Arn != pipelineARN {
		t.Errorf("ListImagePipelines = %+v, %v", list, err)
	}
}

func TestPipelineRefusals(t *testing.T) { // P2, P3, P6, P12
	f := newFactory(t)
	schedule := func(s types.Schedule) func(*imagebuilder.CreateImagePipelineInput) {
		return func(in *imagebuilder.CreateImagePipelineInput) { in.Schedule = &s }
	}
	type change = func(*imagebuilder.CreateImagePipelineInput)
	for name, test := range map[string]struct {
		change change
		want   string
	}{
		"no recipe": {func(in *imagebuilder.CreateImagePipelineInput) { in.ImageRecipeArn = nil }, combination},
		"both recipes": {func(in *imagebuilder.CreateImagePipelineInput) {
			in.ContainerRecipeArn = aws.String(own + "container-recipe/c/1.0.0")
		}, combination},
		"workflows without role": {func(in *imagebuilder.CreateImagePipelineInput) {
			in.Workflows = []types.WorkflowConfiguration{{WorkflowArn: aws.String(managed + "workflow/build/build-image/x.x.x")}}
		}, "InvalidRequestException"},
		"missing recipe": {func(in *imagebuilder.CreateImagePipelineInput) {
			in.ImageRecipeArn = aws.String(own + "image-recipe/demo/9.x.x")
		}, notFound},
		"rate(1 days)":        {schedule(types.Schedule{ScheduleExpression: aws.String("rate(1 days)")}), invalid},
		"both days":           {schedule(types.Schedule{ScheduleExpression: aws.String("cron(0 10 1 * MON *)")}), invalid},
		"bare":                {schedule(types.Schedule{ScheduleExpression: aws.String("0 10 * * ? *")}), invalid},
		"zone":                {schedule(types.Schedule{ScheduleExpression: aws.String("rate(1 day)"), Timezone: aws.String("Mars/Olympus")}), invalid},
		"policy without rule": {schedule(types.Schedule{AutoDisablePolicy: &types.AutoDisablePolicy{FailureCount: aws.Int32(2)}}), combination},
		"reserved image tag":  {func(in *imagebuilder.CreateImagePipelineInput) { in.ImageTags = map[string]string{"Aws:x": "y"} }, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, "CreateImagePipeline", f.newPipeline(test.change), test.want)
		})
	}
	err := f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
		in.Workflows = []types.WorkflowConfiguration{{WorkflowArn: aws.String(managed + "workflow/build/build-image/x.x.x")}}
	})
	if err == nil || !strings.Contains(err.Error(), "An execution role is required to provide workflows") {
		t.Errorf("workflows without role: %v", err)
	}
	must(t, f.newPipeline())
	_, err = f.DeleteInfrastructureConfiguration(t.Context(), &imagebuilder.DeleteInfrastructureConfigurationInput{InfrastructureConfigurationArn: &f.infra})
	wantError(t, "DeleteInfrastructureConfiguration in use", err, dependency)
}

func TestPipelineSchedule(t *testing.T) { // P4, P5
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	f := newFactory(t, clock(&now))
	must(t, f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
		in.Schedule = &types.Schedule{ScheduleExpression: aws.String("cron(0 10 * * ? *)"), Timezone: aws.String("Europe/Berlin")}
	}))
	p := f.pipeline()
	if *p.DateNextRun != "2026-07-02T08:00:00.000Z" || p.Schedule.PipelineExecutionStartCondition != types.PipelineExecutionStartConditionExpressionMatchAndDependencyUpdatesAvailable {
		t.Errorf("dateNextRun %s, start condition %s", *p.DateNextRun, p.Schedule.PipelineExecutionStartCondition)
	}
	for expression, next := range map[string]string{
		"cron(0 0 * * SUN *)":       "2026-07-05T00:00:00.000Z",
		"cron(30 22 ? * tue#2 *)":   "2026-07-14T22:30:00.000Z",
		"cron(0 0 L * ? *)":         "2026-07-31T00:00:00.000Z",
		"cron(0 8 3W * ? *)":        "2026-07-03T08:00:00.000Z",
		"rate(1 day)":               "2026-07-02T12:00:00.000Z",
		"cron(0 0 1 1 ? 2001-2002)": "",
	} {
		f.updatePipeline(func(in *imagebuilder.UpdateImagePipelineInput) {
			in.Schedule = &types.Schedule{ScheduleExpression: &expression}
		})
		p := f.pipeline()
		if *p.Schedule.ScheduleExpression != expression || aws.ToString(p.DateNextRun) != next || p.Schedule.Timezone != nil {
			t.Errorf("%s: returned as %+v, next run %q, want %q", expression, p.Schedule, aws.ToString(p.DateNextRun), next)
		}
	}
}

func (f *factory) updatePipeline(change func(*imagebuilder.UpdateImagePipelineInput)) {
	f.t.Helper()
	in := &imagebuilder.UpdateImagePipelineInput{
		ImagePipelineArn: aws.String(pipelineARN), ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra,
	}
	change(in)
	_, err := f.UpdateImagePipeline(f.t.Context(), in)
	must(f.t, err)
}

func TestUpdatePipelineReplaces(t *testing.T) { // P7, P8
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	f := newFactory(t, clock(&now))
	must(t, f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
		in.Schedule = &types.Schedule{ScheduleExpression: aws.String("rate(1 day)"), AutoDisablePolicy: &types.AutoDisablePolicy{FailureCount: aws.Int32(2)}}
		in.Status = types.PipelineStatusDisabled
		in.Tags = map[string]string{"a": "b"}
		in.Description = aws.String("old")
	}))
	p := f.pipeline()
	if p.Status != types.PipelineStatusDisabled || p.DateNextRun != nil || p.ConsecutiveFailures == nil {
		t.Errorf("a disabled pipeline: %+v", p)
	}
	now = now.Add(time.Hour)
	f.updatePipeline(func(*imagebuilder.UpdateImagePipelineInput) {})
	p = f.pipeline()
	if p.Status != types.PipelineStatusEnabled || p.Schedule != nil || p.Description != nil || p.Tags["a"] != "b" ||
		*p.DateUpdated != "2026-07-01T13:00:00.000Z" || *p.DateCreated != "2026-07-01T12:00:00.000Z" || *p.Name != "Nightly" {
		t.Errorf("after an update that leaves all out: %+v", p)
	}
	_, err := f.UpdateImagePipeline(t.Context(), &imagebuilder.UpdateImagePipelineInput{
		ImagePipelineArn: aws.String(pipelineARN), InfrastructureConfigurationArn: &f.infra,
		ContainerRecipeArn: aws.String(own + "container-recipe/c/1.0.0"),
	})
	wantError(t, "UpdateImagePipeline to a container recipe", err, invalid)
}

func TestStartPipeline(t *testing.T) { // P11
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	f := newFactory(t, clock(&now))
	ctx := t.Context()
	must(t, f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
		in.Status = types.PipelineStatusDisabled
		in.ImageTags = map[string]string{"scheduled": "only"}
		in.LoggingConfiguration = &types.PipelineLoggingConfiguration{ImageLogGroupName: aws.String("/aws/imagebuilder/x")}
	}))
	start := func() string {
		now = now.Add(time.Minute)
		out, err := f.StartImagePipelineExecution(ctx, &imagebuilder.StartImagePipelineExecutionInput{
			ImagePipelineArn: aws.String(pipelineARN), Tags: map[string]string{"request": "yes"},
		})
		must(t, err)
		return *out.ImageBuildVersionArn
	}
	first := start()
	i := f.image(first)
	if first != own+"image/demo/1.0.0/1" || i.BuildType != types.BuildTypeUserInitiated || *i.SourcePipelineArn != pipelineARN ||
		*i.SourcePipelineName != "Nightly" || *i.LoggingConfiguration.LogGroupName != "/aws/imagebuilder/x" {
		t.Errorf("the image of a pipeline: %+v", i)
	}
	if diff := cmp.Diff(map[string]string{"request": "yes"}, i.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	p := f.pipeline()
	if p.LastRunStatus != types.ImageStatusPending || *p.DateLastRun != "2026-07-01T12:01:00.000Z" || *p.DateUpdated != "2026-07-01T12:00:00.000Z" {
		t.Errorf("after a start: last run %s at %s, updated %s", p.LastRunStatus, *p.DateLastRun, *p.DateUpdated)
	}
	f.move(first, model.ImageStatusFailed)
	if p := f.pipeline(); p.LastRunStatus != types.ImageStatusFailed {
		t.Errorf("lastRunStatus is %s, want the image's", p.LastRunStatus)
	}
	f.recipe = f.newRecipe("a-later-name", "1.0.0")
	f.updatePipeline(func(*imagebuilder.UpdateImagePipelineInput) {})
	second := start()
	images, err := f.ListImagePipelineImages(ctx, &imagebuilder.ListImagePipelineImagesInput{ImagePipelineArn: aws.String(pipelineARN)})
	must(t, err)
	var got []string
	for _, i := range images.ImageSummaryList {
		got = append(got, *i.Arn)
	}
	if diff := cmp.Diff([]string{second, first}, got); diff != "" {
		t.Errorf("images of the pipeline, newest first (-want +got):\n%s", diff)
	}
	f.move(second, model.ImageStatusCancelled)
	_, err = f.DeleteImage(ctx, &imagebuilder.DeleteImageInput{ImageBuildVersionArn: &second})
	must(t, err)
	if p := f.pipeline(); p.LastRunStatus != "" || *p.DateLastRun != "2026-07-01T12:02:00.000Z" {
		t.Errorf("after deleting the last image: last run %q at %s; want none at 12:02", p.LastRunStatus, *p.DateLastRun)
	}
	_, err = f.DeleteImagePipeline(ctx, &imagebuilder.DeleteImagePipelineInput{ImagePipelineArn: aws.String(pipelineARN)})
	must(t, err)
	if i := f.image(first); *i.SourcePipelineArn != pipelineARN {
		t.Errorf("the image forgot its pipeline: %+v", i)
	}
}

func TestStartPipelineWithMissingReference(t *testing.T) {
	f := newFactory(t)
	must(t, f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
		in.ImageRecipeArn = aws.String(own + "image-recipe/demo/1.x.x")
	}))
	_, err := f.DeleteImageRecipe(t.Context(), &imagebuilder.DeleteImageRecipeInput{ImageRecipeArn: &f.recipe})
	wantError(t, "DeleteImageRecipe that alone satisfies a pipeline's wildcard", err, dependency)
	f.newRecipe("demo", "1.0.1")
	_, err = f.DeleteImageRecipe(t.Context(), &imagebuilder.DeleteImageRecipeInput{ImageRecipeArn: &f.recipe})
	must(t, err)
	out, err := f.StartImagePipelineExecution(t.Context(), &imagebuilder.StartImagePipelineExecutionInput{ImagePipelineArn: aws.String(pipelineARN)})
	if err != nil || *out.ImageBuildVersionArn != own+"image/demo/1.0.1/1" {
		t.Errorf("StartImagePipelineExecution = %+v, %v; want an image of 1.0.1", out, err)
	}
	_, err = f.StartImagePipelineExecution(t.Context(), &imagebuilder.StartImagePipelineExecutionInput{ImagePipelineArn: aws.String(own + "image-pipeline/none")})
	wantError(t, "StartImagePipelineExecution of a missing pipeline", err, notFound)
}
