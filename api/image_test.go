package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/model"
)

// fakeBuilder only remembers what it was asked; tests move the images.
type fakeBuilder struct {
	mu    sync.Mutex
	asked []string
}

func (b *fakeBuilder) StartImage(_ context.Context, image ingot.ARN) error {
	return b.ask("start " + image.String())
}

func (b *fakeBuilder) AnswerStep(_ context.Context, s ingot.StepExecution) error {
	return b.ask("answer " + s.StepExecutionId)
}

func (b *fakeBuilder) CancelImage(_ context.Context, image ingot.ARN) error {
	return b.ask("cancel " + image.String())
}

func (b *fakeBuilder) ask(what string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, what)
	return nil
}

// factory is a server with a base image, a recipe and an infrastructure
// configuration, seen through the vendor's client.
type factory struct {
	*server
	*imagebuilder.Client
	fakeBuilder *fakeBuilder
	recipe      string
	infra       string
}

// clockSigner signs requests at the server's time instead of the host's.
type clockSigner struct {
	*v4.Signer
	now func() time.Time
}

func (s clockSigner) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, options ...func(*v4.SignerOptions)) error {
	return s.Signer.SignHTTP(ctx, c, r, hash, service, region, s.now(), options...)
}

const baseAMI = "ami-0123456789abcdef0"

func newFactory(t *testing.T, change ...func(*api.Config)) *factory {
	f := &factory{fakeBuilder: &fakeBuilder{}}
	f.server = start(t, append(change, func(c *api.Config) { c.Builder = f.fakeBuilder })...)
	o := f.server.client().Options()
	o.HTTPSignerV4, o.AuthSchemes = clockSigner{v4.NewSigner(), f.now}, nil
	f.Client = imagebuilder.New(o)
	_, err := ingot.PutManagedImage(t.Context(), f.Store, ingot.ManagedImage{
		Partition: "aws", Region: region, Name: "Debian 12", Type: model.ImageTypeAmi, Version: ingot.NewVersion(2026, 7, 1),
		Platform: model.PlatformLinux, OSVersion: "Debian 12", AMI: baseAMI, Created: f.now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.recipe = f.newRecipe("demo", "1.0.0")
	in := &imagebuilder.CreateInfrastructureConfigurationInput{
		Name: aws.String("infra"), InstanceProfileName: aws.String("profile"), Tags: map[string]string{"copy": "yes"},
	}
	infra, err := f.CreateInfrastructureConfiguration(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	f.infra = *infra.InfrastructureConfigurationArn
	return f
}

func (f *factory) newRecipe(name, version string) string {
	f.t.Helper()
	out, err := f.CreateImageRecipe(context.Background(), &imagebuilder.CreateImageRecipeInput{
		Name: aws.String(name), SemanticVersion: aws.String(version), ParentImage: aws.String(managed + "image/debian-12/x.x.x"),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return *out.ImageRecipeArn
}

// build asks for an image of the factory's recipe, as changed, and returns its ARN.
func (f *factory) build(change ...func(*imagebuilder.CreateImageInput)) string {
	f.t.Helper()
	in := &imagebuilder.CreateImageInput{ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra}
	for _, c := range change {
		c(in)
	}
	out, err := f.CreateImage(context.Background(), in)
	if err != nil {
		f.t.Fatal(err)
	}
	return *out.ImageBuildVersionArn
}

func (f *factory) image(arn string) *types.Image {
	f.t.Helper()
	out, err := f.GetImage(context.Background(), &imagebuilder.GetImageInput{ImageBuildVersionArn: &arn})
	if err != nil {
		f.t.Fatal(err)
	}
	return out.Image
}

// move does what a build would: it changes the status of an image.
func (f *factory) move(text string, to ...model.ImageStatus) {
	f.t.Helper()
	arn, err := ingot.ParseARN(text)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, status := range to {
		err := f.Store.Write(context.Background(), func(tx ingot.Tx) error {
			return ingot.UpdateImage(context.Background(), tx, arn, nil, status, f.now(), func(*model.Image) {})
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// wantError checks the exception of an error of the client.
func wantError(t testing.TB, doing string, err error, want string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != want {
		t.Errorf("%s: %v, want %s", doing, err, want)
	}
}

func TestCreateImageMinimal(t *testing.T) { // G1 without the build
	f := newFactory(t)
	arn := f.build()
	if want := own + "image/demo/1.0.0/1"; arn != want {
		t.Fatalf("CreateImage = %s, want %s", arn, want)
	}
	i := f.image(arn)
	const role = "arn:aws:iam::111122223333:role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
	got := map[string]any{
		"version": *i.Version, "name": *i.Name, "status": i.State.Status, "role": *i.ExecutionRole, "osVersion": *i.OsVersion,
		"platform": i.Platform, "type": i.Type, "buildType": i.BuildType, "imageSource": i.ImageSource,
		"tests": *i.ImageTestsConfiguration, "metadata": *i.EnhancedImageMetadataEnabled, "amis": len(i.OutputResources.Amis),
		"recipe": *i.ImageRecipe.Arn, "infrastructure": i.InfrastructureConfiguration.Tags, "distribution": i.DistributionConfiguration,
		"pipeline": i.SourcePipelineArn, "scan": i.ScanState, "tags": i.Tags,
	}
	want := map[string]any{
		"version": "1.0.0/1", "name": "demo", "status": types.ImageStatusPending, "role": role, "osVersion": "Debian 12",
		"platform": types.PlatformLinux, "type": types.ImageTypeAmi, "buildType": types.BuildTypeUserInitiated,
		"imageSource": types.ImageSourceAmazonManaged, "metadata": true, "amis": 0,
		"tests":  types.ImageTestsConfiguration{ImageTestsEnabled: aws.Bool(true), TimeoutMinutes: aws.Int32(720)},
		"recipe": f.recipe, "infrastructure": map[string]string{"copy": "yes"},
		"distribution": (*types.DistributionConfiguration)(nil), "pipeline": (*string)(nil), "scan": (*types.ImageScanState)(nil),
		"tags": map[string]string{},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(types.ImageTestsConfiguration{})); diff != "" {
		t.Errorf("GetImage (-want +got):\n%s", diff)
	}
	var workflows []string
	for _, w := range i.Workflows {
		workflows = append(workflows, *w.WorkflowArn)
	}
	if diff := cmp.Diff([]string{managed + "workflow/build/build-image/x.x.x", managed + "workflow/test/test-image/x.x.x"}, workflows); diff != "" {
		t.Errorf("workflows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"start " + arn}, f.fakeBuilder.asked); diff != "" {
		t.Errorf("the builder was asked (-want +got):\n%s", diff)
	}
}

func TestCreateImageOptions(t *testing.T) {
	f := newFactory(t)
	dist, err := f.CreateDistributionConfiguration(t.Context(), &imagebuilder.CreateDistributionConfigurationInput{
		Name: aws.String("dist"), Distributions: []types.Distribution{{
			Region: aws.String(region), AmiDistributionConfiguration: &types.AmiDistributionConfiguration{Description: aws.String("d")},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	i := f.image(f.build(func(in *imagebuilder.CreateImageInput) {
		in.ImageRecipeArn = aws.String(own + "image-recipe/demo/1.x.x")
		in.DistributionConfigurationArn = dist.DistributionConfigurationArn
		in.ImageTestsConfiguration = &types.ImageTestsConfiguration{ImageTestsEnabled: aws.Bool(false)}
		in.EnhancedImageMetadataEnabled = aws.Bool(false)
		in.ExecutionRole = aws.String("builder")
		in.LoggingConfiguration = &types.ImageLoggingConfiguration{LogGroupName: aws.String("mine")}
		in.Tags = map[string]string{"a": "b"}
	}))
	if *i.DistributionConfiguration.Name != "dist" || *i.ExecutionRole != "builder" || *i.EnhancedImageMetadataEnabled ||
		*i.LoggingConfiguration.LogGroupName != "mine" || i.Tags["a"] != "b" || *i.ImageTestsConfiguration.TimeoutMinutes != 720 {
		t.Errorf("GetImage does not return what was asked for: %+v", i)
	}
	if len(i.Workflows) != 1 {
		t.Errorf("%d workflows with tests disabled, want the build workflow only", len(i.Workflows))
	}
}

func TestCreateImageRefusals(t *testing.T) {
	f := newFactory(t)
	workflow := func(name string) types.WorkflowConfiguration {
		return types.WorkflowConfiguration{WorkflowArn: aws.String(managed + "workflow/" + name)}
	}
	role := aws.String("role")
	for name, test := range map[string]struct {
		change func(*imagebuilder.CreateImageInput)
		want   string
	}{
		"no recipe": {func(in *imagebuilder.CreateImageInput) { in.ImageRecipeArn = nil }, combination},
		"both recipes": {func(in *imagebuilder.CreateImageInput) {
			in.ContainerRecipeArn = aws.String(own + "container-recipe/c/1.0.0")
		}, combination},
		"missing recipe": {func(in *imagebuilder.CreateImageInput) {
			in.ImageRecipeArn = aws.String(own + "image-recipe/demo/2.x.x")
		}, notFound},
		"recipe elsewhere": {func(in *imagebuilder.CreateImageInput) {
			in.ImageRecipeArn = aws.String("arn:aws:imagebuilder:eu-west-1:111122223333:image-recipe/demo/1.0.0")
		}, notFound},
		"missing infrastructure": {func(in *imagebuilder.CreateImageInput) {
			in.InfrastructureConfigurationArn = aws.String(own + "infrastructure-configuration/none")
		}, notFound},
		"missing distribution": {func(in *imagebuilder.CreateImageInput) {
			in.DistributionConfigurationArn = aws.String(own + "distribution-configuration/none")
		}, notFound},
		"workflows without role": {func(in *imagebuilder.CreateImageInput) {
			in.Workflows = []types.WorkflowConfiguration{workflow("build/build-image/x.x.x")}
		}, "InvalidRequestException"},
		"unknown workflow": {func(in *imagebuilder.CreateImageInput) {
			in.ExecutionRole, in.Workflows = role, []types.WorkflowConfiguration{workflow("build/other/x.x.x")}
		}, notFound},
		"two build workflows": {func(in *imagebuilder.CreateImageInput) {
			in.ExecutionRole, in.Workflows = role, []types.WorkflowConfiguration{workflow("build/build-image/x.x.x"), workflow("build/express-build-image/1.0.0")}
		}, combination},
		"container workflow": {func(in *imagebuilder.CreateImageInput) {
			in.ExecutionRole, in.Workflows = role, []types.WorkflowConfiguration{workflow("build/build-container/x.x.x")}
		}, "InvalidRequestException"},
		"build workflow with onFailure": {func(in *imagebuilder.CreateImageInput) {
			w := workflow("build/build-image/x.x.x")
			w.OnFailure = types.OnWorkflowFailureAbort
			in.ExecutionRole, in.Workflows = role, []types.WorkflowConfiguration{w}
		}, combination},
		"log group without role": {func(in *imagebuilder.CreateImageInput) {
			in.LoggingConfiguration = &types.ImageLoggingConfiguration{LogGroupName: aws.String("mine")}
		}, combination},
		"scanning": {func(in *imagebuilder.CreateImageInput) {
			in.ImageScanningConfiguration = &types.ImageScanningConfiguration{ImageScanningEnabled: aws.Bool(true)}
		}, "InvalidRequestException"},
		"reserved tag": {func(in *imagebuilder.CreateImageInput) { in.Tags = map[string]string{"AWS:x": "y"} }, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			in := &imagebuilder.CreateImageInput{ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra}
			test.change(in)
			_, err := f.CreateImage(t.Context(), in)
			wantError(t, "CreateImage", err, test.want)
		})
	}
	if arn := f.build(); arn != own+"image/demo/1.0.0/1" {
		t.Errorf("after refusals the first build is %s: refusals must not count", arn)
	}
}

func TestCancelAndDelete(t *testing.T) { // G4 to G6
	f := newFactory(t)
	ctx := t.Context()
	arn := f.build()
	f.move(arn, model.ImageStatusBuilding)
	_, err := f.DeleteImage(ctx, &imagebuilder.DeleteImageInput{ImageBuildVersionArn: &arn})
	wantError(t, "DeleteImage while BUILDING", err, dependency)
	for range 2 {
		if _, err := f.CancelImageCreation(ctx, &imagebuilder.CancelImageCreationInput{ImageBuildVersionArn: &arn}); err != nil {
			t.Fatalf("CancelImageCreation while BUILDING: %v", err)
		}
	}
	want := []string{"start " + arn, "cancel " + arn, "cancel " + arn}
	if diff := cmp.Diff(want, f.fakeBuilder.asked); diff != "" {
		t.Errorf("the builder was asked (-want +got):\n%s", diff)
	}
	marked := func() int {
		n, err := f.Store.Count(ctx, ingot.Query{
			Scope: ingot.Scope{Account: account, Region: region}, Kind: ingot.KindImage, Limit: 10,
			Filters: []ingot.Filter{{Name: ingot.FilterCancel, Values: []string{"true"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := marked(); n != 1 {
		t.Errorf("%d images are marked for cancellation, want 1: the server may be killed now", n)
	}
	f.move(arn, model.ImageStatusCancelled)
	if n := marked(); n != 0 {
		t.Errorf("%d images are marked for cancellation when it is done", n)
	}
	_, err = f.CancelImageCreation(ctx, &imagebuilder.CancelImageCreationInput{ImageBuildVersionArn: &arn})
	wantError(t, "CancelImageCreation when CANCELLED", err, invalid)
	if _, err := f.DeleteImage(ctx, &imagebuilder.DeleteImageInput{ImageBuildVersionArn: &arn}); err != nil {
		t.Fatal(err)
	}
	_, err = f.GetImage(ctx, &imagebuilder.GetImageInput{ImageBuildVersionArn: &arn})
	wantError(t, "GetImage after DeleteImage", err, notFound)
	_, err = f.DeleteImage(ctx, &imagebuilder.DeleteImageInput{ImageBuildVersionArn: &arn})
	wantError(t, "DeleteImage twice", err, notFound)
	if next := f.build(); next != own+"image/demo/1.0.0/2" {
		t.Errorf("the next build is %s, want build 2", next)
	}
}

func TestDeleteImageThatIsAParent(t *testing.T) {
	f := newFactory(t)
	arn := f.build()
	f.move(arn, model.ImageStatusAvailable)
	in := &imagebuilder.CreateImageRecipeInput{Name: aws.String("child"), SemanticVersion: aws.String("1.0.0"), ParentImage: &arn}
	child, err := f.CreateImageRecipe(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.DeleteImage(t.Context(), &imagebuilder.DeleteImageInput{ImageBuildVersionArn: &arn})
	wantError(t, "DeleteImage of a parent", err, dependency)
	if _, err := f.DeleteImageRecipe(t.Context(), &imagebuilder.DeleteImageRecipeInput{ImageRecipeArn: child.ImageRecipeArn}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.DeleteImage(t.Context(), &imagebuilder.DeleteImageInput{ImageBuildVersionArn: &arn}); err != nil {
		t.Errorf("DeleteImage when its child is gone: %v", err)
	}
}

func TestListImages(t *testing.T) {
	f := newFactory(t)
	f.build()
	f.build()
	f.recipe = f.newRecipe("demo", "1.1.0")
	f.build()
	f.recipe = f.newRecipe("Other One", "2.0.0")
	f.build()
	list := func(in *imagebuilder.ListImagesInput) (arns []string) {
		pages := imagebuilder.NewListImagesPaginator(f, in, func(o *imagebuilder.ListImagesPaginatorOptions) { o.Limit = 1 })
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page.ImageVersionList {
				arns = append(arns, *v.Arn)
			}
		}
		return arns
	}
	filter := func(name string, values ...string) []types.Filter {
		return []types.Filter{{Name: &name, Values: values}}
	}
	for _, test := range []struct {
		in   imagebuilder.ListImagesInput
		want []string
	}{
		{imagebuilder.ListImagesInput{}, []string{own + "image/demo/1.1.0", own + "image/demo/1.0.0", own + "image/other-one/2.0.0"}},
		{imagebuilder.ListImagesInput{ByName: true}, []string{own + "image/demo/x.x.x", own + "image/other-one/x.x.x"}},
		{imagebuilder.ListImagesInput{Filters: filter("name", "Other One")}, []string{own + "image/other-one/2.0.0"}},
		{imagebuilder.ListImagesInput{Filters: filter("version", "1.x.x", "2")}, []string{own + "image/demo/1.1.0", own + "image/demo/1.0.0", own + "image/other-one/2.0.0"}},
		{imagebuilder.ListImagesInput{Filters: filter("osVersion", "Debian 13")}, nil},
		{imagebuilder.ListImagesInput{Owner: types.OwnershipAmazon}, []string{managed + "image/debian-12/2026.7.1"}},
		{imagebuilder.ListImagesInput{Owner: types.OwnershipThirdparty}, nil},
	} {
		if diff := cmp.Diff(test.want, list(&test.in)); diff != "" {
			t.Errorf("ListImages(%+v) (-want +got):\n%s", test.in, diff)
		}
	}
	_, err := f.ListImages(t.Context(), &imagebuilder.ListImagesInput{ByName: true, Filters: filter("version", "1")})
	wantError(t, "ListImages byName with a version", err, combination)
	builds, err := f.ListImageBuildVersions(t.Context(), &imagebuilder.ListImageBuildVersionsInput{ImageVersionArn: aws.String(own + "image/demo/1.0.0")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range builds.ImageSummaryList {
		got = append(got, *b.Version)
	}
	if diff := cmp.Diff([]string{"1.0.0/2", "1.0.0/1"}, got); diff != "" {
		t.Errorf("ListImageBuildVersions (-want +got):\n%s", diff)
	}
}

func TestManagedImageIsABuildPerAMI(t *testing.T) {
	f := newFactory(t)
	m := ingot.ManagedImage{
		Partition: "aws", Region: region, Name: "Debian 12", Type: model.ImageTypeAmi, Version: ingot.NewVersion(2026, 7, 1),
		Platform: model.PlatformLinux, AMI: baseAMI, Created: f.now(),
	}
	for _, test := range []struct{ ami, want string }{{baseAMI, "1"}, {"ami-00000000000000002", "2"}, {"ami-00000000000000002", "2"}} {
		m.AMI = test.ami
		arn, err := ingot.PutManagedImage(t.Context(), f.Store, m)
		if want := managed + "image/debian-12/2026.7.1/" + test.want; err != nil || arn.String() != want {
			t.Errorf("PutManagedImage with %s = %s, %v; want %s", test.ami, arn, err, want)
		}
	}
	if err := ingot.DeleteManagedImages(t.Context(), f.Store, region, "ami-00000000000000002"); err != nil {
		t.Fatal(err)
	}
	if got := f.image(managed + "image/debian-12/x.x.x"); *got.OutputResources.Amis[0].Image != baseAMI {
		t.Errorf("after deleting build 2 the image is %s, want build 1 again", *got.Arn)
	}
	_, err := f.DeleteImage(t.Context(), &imagebuilder.DeleteImageInput{ImageBuildVersionArn: aws.String(managed + "image/debian-12/2026.7.1/1")})
	wantError(t, "DeleteImage of a managed image", err, "ForbiddenException")
}

func TestBuildQuota(t *testing.T) {
	f := newFactory(t)
	for range 100 {
		f.build()
	}
	_, err := f.CreateImage(t.Context(), &imagebuilder.CreateImageInput{ImageRecipeArn: &f.recipe, InfrastructureConfigurationArn: &f.infra})
	wantError(t, "CreateImage over the quota", err, "ServiceQuotaExceededException")
	f.move(own+"image/demo/1.0.0/7", model.ImageStatusFailed)
	f.build()
}

func TestWorkflowExecutions(t *testing.T) { // G12
	f := newFactory(t)
	ctx := t.Context()
	image := f.build()
	started := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	const id = "wf-12345678-1234-4234-8234-12345678901%d"
	const stepID = "step-12345678-1234-4234-8234-12345678901%d"
	err := f.Store.Write(ctx, func(tx ingot.Tx) error {
		for n, kind := range []model.WorkflowType{model.WorkflowTypeBuild, model.WorkflowTypeTest} {
			e := ingot.WorkflowExecution{GetWorkflowExecutionResponse: model.GetWorkflowExecutionResponse{
				WorkflowExecutionId: fmt.Sprintf(id, n), ImageBuildVersionArn: image, Type: kind,
				WorkflowBuildVersionArn: managed + "workflow/build/build-image/1.0.0/1", Status: model.WorkflowExecutionStatusCompleted,
				StartTime: model.DateTime(started.Add(time.Duration(n) * time.Hour)), TotalStepCount: new(2), TotalStepsSucceeded: new(1), TotalStepsSkipped: new(1),
			}}
			if err := tx.PutWorkflowExecution(ctx, e); err != nil {
				return err
			}
		}
		for n, name := range []string{"LaunchBuildInstance", "ApplyBuildComponents"} {
			s := ingot.StepExecution{Order: n, AttemptNumber: new(1), GetWorkflowStepExecutionResponse: model.GetWorkflowStepExecutionResponse{
				StepExecutionId: fmt.Sprintf(stepID, n), WorkflowExecutionId: fmt.Sprintf(id, 0), ImageBuildVersionArn: image,
				Name: name, Inputs: `{"a":1}`, OnFailure: "Abort", TimeoutSeconds: new(3600), Status: model.WorkflowStepExecutionStatusCompleted,
			}}
			if err := tx.PutStepExecution(ctx, s); err != nil {
				return err
			}
		}
		arn, err := ingot.ParseARN(image)
		if err != nil {
			return err
		}
		return tx.PutImagePackages(ctx, arn, []ingot.ImagePackage{{PackageName: "nginx", PackageVersion: "1.22"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.ListWorkflowExecutions(ctx, &imagebuilder.ListWorkflowExecutionsInput{ImageBuildVersionArn: &image})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.WorkflowExecutions) != 2 || list.WorkflowExecutions[0].Type != types.WorkflowTypeTest || *list.ImageBuildVersionArn != image {
		t.Errorf("ListWorkflowExecutions = %+v, want TEST then BUILD", list)
	}
	for _, e := range list.WorkflowExecutions {
		if e.TotalStepCount != e.TotalStepsSucceeded+e.TotalStepsFailed+e.TotalStepsSkipped {
			t.Errorf("counters of %s do not add up: %+v", *e.WorkflowExecutionId, e)
		}
	}
	one, err := f.GetWorkflowExecution(ctx, &imagebuilder.GetWorkflowExecutionInput{WorkflowExecutionId: aws.String(fmt.Sprintf(id, 0))})
	if err != nil || one.Type != types.WorkflowTypeBuild || *one.ImageBuildVersionArn != image {
		t.Errorf("GetWorkflowExecution = %+v, %v", one, err)
	}
	pages := imagebuilder.NewListWorkflowStepExecutionsPaginator(f, &imagebuilder.ListWorkflowStepExecutionsInput{
		WorkflowExecutionId: one.WorkflowExecutionId, MaxResults: aws.Int32(1),
	})
	var steps []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Steps {
			steps = append(steps, *s.Name)
		}
	}
	if diff := cmp.Diff([]string{"LaunchBuildInstance", "ApplyBuildComponents"}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	step, err := f.GetWorkflowStepExecution(ctx, &imagebuilder.GetWorkflowStepExecutionInput{StepExecutionId: aws.String(fmt.Sprintf(stepID, 1))})
	if err != nil || *step.OnFailure != "Abort" || *step.TimeoutSeconds != 3600 || *step.Inputs != `{"a":1}` {
		t.Errorf("GetWorkflowStepExecution = %+v, %v", step, err)
	}
	packages, err := f.ListImagePackages(ctx, &imagebuilder.ListImagePackagesInput{ImageBuildVersionArn: &image})
	if err != nil || len(packages.ImagePackageList) != 1 || *packages.ImagePackageList[0].PackageName != "nginx" {
		t.Errorf("ListImagePackages = %+v, %v", packages, err)
	}
	none := own + "image/demo/1.0.0/9"
	_, err = f.ListWorkflowExecutions(ctx, &imagebuilder.ListWorkflowExecutionsInput{ImageBuildVersionArn: &none})
	wantError(t, "ListWorkflowExecutions of a missing image", err, notFound)
	_, err = f.GetWorkflowExecution(ctx, &imagebuilder.GetWorkflowExecutionInput{WorkflowExecutionId: aws.String(fmt.Sprintf(id, 9))})
	wantError(t, "GetWorkflowExecution of a missing id", err, notFound)
}
