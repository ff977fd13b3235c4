package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder"
	"github.com/aws/aws-sdk-go-v2/service/imagebuilder/types"
	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api"
	"ingot.dev/ingot/catalog"
	"ingot.dev/ingot/model"
)

var componentCases = cases{
	"C1": func(t *testing.T) {
		s := start(t)
		if got := s.getComponent(s.createComponent("try", "1.0.0", docTest))["type"]; got != "TEST" {
			t.Errorf("type = %v", got)
		}
	},
	"C2": func(t *testing.T) {
		s := start(t)
		in := component("demo", "1.0.0", docBuild)
		in["uri"] = "s3://bucket/key"
		s.refused(400, combination, "PUT", "/CreateComponent", in, "'data'", "'uri'")
		delete(in, "data")
		delete(in, "uri")
		s.refused(400, combination, "PUT", "/CreateComponent", in, "'data'", "'uri'")
	},
	"C3": func(t *testing.T) {
		start(t).refused(400, invalid, "PUT", "/CreateComponent", component("bad", "1.0.0", docBadStep), "'data'", "Install PowerShell", "build")
	},
	"C4": func(t *testing.T) {
		s := start(t)
		got := s.getComponent(s.createComponent("level", "1.0.0", docParameters))["parameters"]
		want := []any{
			obj{"name": "Level", "type": "string", "defaultValue": []any{"low"}, "description": "how much"},
			obj{"name": "Name", "type": "string"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
	},
	"C5": func(t *testing.T) {
		text := docBuild + strings.Repeat("# a long document\n", 20_000/18)
		s := start(t, inBucket(t, "component.yml", text))
		in := component("demo", "1.0.0", "")
		delete(in, "data")
		in["uri"] = "s3://documents/component.yml"
		arn, _ := s.must("PUT", "/CreateComponent", in)["componentBuildVersionArn"].(string)
		if got := s.getComponent(arn)["data"]; got != text {
			t.Errorf("data has %d bytes, want the %d of the object", len(got.(string)), len(text))
		}
	},
	"C6": func(t *testing.T) {
		s := withCatalogue(t)
		arn := s.createComponent("tool", "1.0.0", docBuild)
		s.must("PUT", "/CreateImageRecipe", recipe("user", "1.0.0", uses(arn)))
		s.refused(400, dependency, "DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil,
			"Resource dependency error: The resource ARN '"+arn+"' has other resources depended on it.")
		s.must("DELETE", "/DeleteImageRecipe?imageRecipeArn="+own+"image-recipe/user/1.0.0", nil)
		s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil)
	},
	"C7": func(t *testing.T) {
		s := withCatalogue(t)
		arn := s.createComponent("tool", "1.0.0", docBuild)
		s.must("PUT", "/CreateImageRecipe", recipe("user", "1.0.0", uses(own+"component/tool/1.x.x")))
		s.must("DELETE", "/DeleteComponent?componentBuildVersionArn="+arn, nil)
	},
	"C8": func(t *testing.T) {
		s := start(t)
		s.createComponent("tool", "1.0.0", docBuild)
		s.refused(400, invalid, "DELETE", "/DeleteComponent?componentBuildVersionArn="+own+"component/tool/1.0.0", nil, "'componentBuildVersionArn'")
	},
	"C9": func(t *testing.T) {
		s := start(t)
		must(t, catalog.SyncComponents(t.Context(), s.Store, region, time.Now()))
		list := s.must("POST", "/ListComponents", obj{"owner": "Amazon", "filters": []obj{filter("name", "update-linux")}})
		if dig(list, "componentVersionList", 0, "version") != "1.0.0" || dig(list, "componentVersionList", 0, "owner") != "Amazon" {
			t.Errorf("ListComponents = %v", list)
		}
		s.refused(403, "ForbiddenException", "DELETE", "/DeleteComponent?componentBuildVersionArn="+managed+"component/update-linux/1.0.0/1", nil)
	},
	"C10": func(t *testing.T) {
		s := start(t)
		answer := s.must("PUT", "/ImportComponent", obj{
			"name": "script", "semanticVersion": "1.0.0", "format": "SHELL", "type": "TEST", "platform": "Linux", "data": "true",
		})
		arn, _ := answer["componentBuildVersionArn"].(string)
		if _, has := answer["latestVersionReferences"]; has || s.getComponent(arn)["type"] != "TEST" {
			t.Errorf("ImportComponent = %v, and the component is %v", answer, s.getComponent(arn))
		}
	},
}

// uses are the changes of a recipe that name components.
func uses(arns ...string) obj {
	var list []obj
	for _, arn := range arns {
		list = append(list, obj{"componentArn": arn})
	}
	return obj{"components": list}
}

var recipeCases = cases{
	"R1": func(t *testing.T) {
		s := withCatalogue(t)
		s.putImage("amazon-linux-2-x86", "2025.1.1", model.Image{Type: model.ImageTypeAmi, Platform: model.PlatformLinux})
		in := recipe("demo", "1.0.0", uses(managed+"component/update-linux/x.x.x"))
		in["parentImage"] = managed + "image/amazon-linux-2-x86/x.x.x"
		s.must("PUT", "/CreateImageRecipe", in)
		got := s.getRecipe(own + "image-recipe/demo/1.0.0")
		delete(got, "dateCreated")
		want := obj{
			"arn": own + "image-recipe/demo/1.0.0", "name": "demo", "version": "1.0.0", "owner": account, "platform": "Linux", "type": "AMI", "tags": obj{},
			"parentImage": in["parentImage"], "components": []any{obj{"componentArn": managed + "component/update-linux/x.x.x"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GetImageRecipe (-want +got):\n%s", diff)
		}
	},
	"R2": func(t *testing.T) {
		s := withCatalogue(t)
		s.must("PUT", "/CreateImageRecipe", recipe("demo", "1.0.0", obj{"blockDeviceMappings": []obj{{"deviceName": "/dev/sdb", "noDevice": ""}}}))
		want := []any{obj{"deviceName": "/dev/sdb", "noDevice": ""}}
		if diff := cmp.Diff(want, s.getRecipe(own + "image-recipe/demo/1.0.0")["blockDeviceMappings"]); diff != "" {
			t.Errorf("blockDeviceMappings (-want +got):\n%s", diff)
		}
	},
	"R3": refusedRecipe(400, invalid, uses(managed+"component/update-linux/1.0.2/1", managed+"component/update-linux/x.x.x"), "components[1]"),
	"R4": refusedRecipe(400, invalid, uses(managed+"component/update-windows/x.x.x"), "components[0].componentArn"),
	"R5": refusedRecipe(400, invalid, uses(managed+"component/stig-low/2.6.0"), "DEPRECATED"),
	"R6": refusedRecipe(404, notFound, obj{"parentImage": managed + "image/nope/x.x.x"}, "nope"),
	"R7": func(t *testing.T) {
		s := withCatalogue(t)
		arn := s.createComponent("level", "1.0.0", docParameters)
		for name, values := range map[string][]string{"Name": {"a", "b"}, "Other": {"a"}} {
			in := obj{"components": []obj{{"componentArn": arn, "parameters": []obj{{"name": name, "value": values}}}}}
			s.refused(400, invalid, "PUT", "/CreateImageRecipe", recipe("demo", "1.0.0", in), "components[0].parameters")
		}
	},
	"R8": func(t *testing.T) {
		f := newFactory(t)
		must(t, f.newPipeline())
		f.refused(400, dependency, "DELETE", "/DeleteImageRecipe?imageRecipeArn="+f.recipe, nil, f.recipe)
		f.must("DELETE", "/DeleteImagePipeline?imagePipelineArn="+pipelineARN, nil)
		f.must("DELETE", "/DeleteImageRecipe?imageRecipeArn="+f.recipe, nil)
	},
	"R9": func(t *testing.T) {
		unknown := containerRecipe("web", "1.0.0", obj{"targetRepository": obj{"service": "ECR", "repositoryName": "unknown"}})
		s := start(t, withExternal(ingot.Externals{ingot.ExternalRepository: {"team/web"}}))
		s.refused(404, notFound, "PUT", "/CreateContainerRecipe", unknown, "'unknown'")
		s.must("PUT", "/CreateContainerRecipe", containerRecipe("web", "1.0.0", nil))
		start(t).must("PUT", "/CreateContainerRecipe", unknown) // without a list any name is accepted. Source: api.md §3.
	},
	"R10": func(t *testing.T) {
		start(t).refused(400, combination, "PUT", "/CreateContainerRecipe", containerRecipe("web", "1.0.0", obj{"dockerfileTemplateUri": "s3://bucket/Dockerfile"}), "dockerfileTemplate")
	},
}

// withExternal has a server know what is outside.
func withExternal(e ingot.Externals) func(*api.Config) {
	return func(c *api.Config) { c.Exists = e.Exists }
}

// refusedRecipe is a case of an image recipe that is not made.
func refusedRecipe(status int, exception string, changes obj, part string) func(*testing.T) {
	return func(t *testing.T) {
		withCatalogue(t).refused(status, exception, "PUT", "/CreateImageRecipe", recipe("bad", "1.0.0", changes), part)
	}
}

var configurationCases = cases{
	"R11": func(t *testing.T) {
		unknown := obj{"name": "infra", "instanceProfileName": "unknown"}
		parts := []string{"The value supplied for parameter 'instanceProfileName'", "instance profile does not exist"}
		s := start(t, withExternal(ingot.Externals{ingot.ExternalInstanceProfile: {"profile"}}))
		s.refused(400, invalid, "PUT", "/CreateInfrastructureConfiguration", unknown, parts...)
		arn := s.must("PUT", "/CreateInfrastructureConfiguration", obj{"name": "infra", "instanceProfileName": "profile"})["infrastructureConfigurationArn"]
		s.refused(400, invalid, "PUT", "/UpdateInfrastructureConfiguration", obj{"infrastructureConfigurationArn": arn, "instanceProfileName": "unknown"}, parts...)
		start(t).must("PUT", "/CreateInfrastructureConfiguration", unknown) // without a list any name is accepted. Source: api.md §3.
	},
	"R12": func(t *testing.T) {
		s := start(t)
		for _, key := range []string{"Name", "Tags", "CreatedBy", "Ec2ImageBuilderArn", "aws:a", "AWS:a"} {
			s.refused(400, invalid, "PUT", "/CreateInfrastructureConfiguration",
				obj{"name": "infra", "instanceProfileName": "profile", "resourceTags": obj{key: "x"}}, "resourceTags")
		}
	},
	"R13": func(t *testing.T) {
		s := start(t)
		arn := own + "infrastructure-configuration/infra"
		get := func() obj {
			return s.must("GET", "/GetInfrastructureConfiguration?infrastructureConfigurationArn="+arn, nil)["infrastructureConfiguration"].(obj)
		}
		s.must("PUT", "/CreateInfrastructureConfiguration", obj{"name": "infra", "instanceProfileName": "profile", "instanceTypes": []string{"t3.micro"}})
		if c := get(); c["dateUpdated"] != nil || c["terminateInstanceOnFailure"] != true || dig(c, "instanceTypes", 0) != "t3.micro" {
			t.Errorf("a new configuration: %v", c)
		}
		s.must("PUT", "/UpdateInfrastructureConfiguration", obj{"infrastructureConfigurationArn": arn, "instanceProfileName": "profile"})
		if c := get(); c["dateUpdated"] == nil || c["instanceTypes"] != nil {
			t.Errorf("an updated configuration: %v", c)
		}
	},
	"R14": refusedDistribution(invalid, "'distributions[0]'", obj{"region": region}),
	"R15": refusedDistribution(invalid, "'distributions[0].amiDistributionConfiguration.targetAccountIds'",
		obj{"region": region, "amiDistributionConfiguration": obj{"targetAccountIds": []string{}}}),
	"R16": func(t *testing.T) {
		ami := func(members obj) obj { return obj{"region": region, "amiDistributionConfiguration": members} }
		refusedDistribution(combination, region, ami(obj{}), ami(obj{}))(t)
		refusedDistribution(invalid, "buildDate", ami(obj{"name": "my-image"}))(t)
	},
	"R17": func(t *testing.T) {
		s := start(t)
		const name = "{{ imagebuilder:buildDate }}"
		s.must("PUT", "/CreateDistributionConfiguration", obj{"name": "dist", "distributions": []obj{{"region": region, "amiDistributionConfiguration": obj{"name": name}}}})
		got := s.must("GET", "/GetDistributionConfiguration?distributionConfigurationArn="+own+"distribution-configuration/dist", nil)["distributionConfiguration"]
		if dig(got, "distributions", 0, "amiDistributionConfiguration", "name") != name || dig(got, "timeoutMinutes") != 720.0 {
			t.Errorf("GetDistributionConfiguration = %v", got)
		}
	},
}

func refusedDistribution(exception, part string, distributions ...obj) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		start(t).refused(400, exception, "PUT", "/CreateDistributionConfiguration", obj{"name": "bad", "distributions": distributions}, part)
	}
}

// schedule is a change of a pipeline.
func schedule(expression string) func(*imagebuilder.CreateImagePipelineInput) {
	return func(in *imagebuilder.CreateImagePipelineInput) {
		in.Schedule = &types.Schedule{ScheduleExpression: &expression}
	}
}

var pipelineCases = cases{
	"P1": func(t *testing.T) {
		now := time.Date(2026, 7, 1, 12, 0, 0, 123e6, time.UTC)
		f := newFactory(t, clock(&now))
		must(t, f.newPipeline())
		want := obj{
			"arn": pipelineARN, "name": "Nightly", "platform": "Linux", "status": "ENABLED", "imageRecipeArn": f.recipe,
			"infrastructureConfigurationArn": f.infra, "enhancedImageMetadataEnabled": true,
			"imageTestsConfiguration": obj{"imageTestsEnabled": true, "timeoutMinutes": 720.0},
			"dateCreated":             date, "dateUpdated": date, "tags": obj{},
		}
		if diff := cmp.Diff(want, f.must("GET", "/GetImagePipeline?imagePipelineArn="+pipelineARN, nil)["imagePipeline"]); diff != "" {
			t.Errorf("GetImagePipeline (-want +got):\n%s", diff)
		}
	},
	"P2": func(t *testing.T) {
		f := newFactory(t)
		wantError(t, "both recipes", f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
			in.ContainerRecipeArn = aws.String(own + "container-recipe/c/1.0.0")
		}), combination)
		wantError(t, "no recipe", f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) { in.ImageRecipeArn = nil }), combination)
	},
	"P3": func(t *testing.T) {
		f := newFactory(t)
		err := f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
			in.Workflows = []types.WorkflowConfiguration{{WorkflowArn: aws.String(managed + "workflow/build/build-image/x.x.x")}}
		})
		wantError(t, "workflows without role", err, invalidRequest)
		if !strings.Contains(err.Error(), "An execution role is required to provide workflows") {
			t.Errorf("workflows without role: %v", err)
		}
	},
	"P4": func(t *testing.T) {
		now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
		f := newFactory(t, clock(&now))
		must(t, f.newPipeline(schedule("cron(0 10 * * ? *)"), func(in *imagebuilder.CreateImagePipelineInput) { in.Schedule.Timezone = aws.String("Europe/Berlin") }))
		p := f.pipeline()
		if *p.DateNextRun != "2026-07-02T08:00:00.000Z" || p.Schedule.PipelineExecutionStartCondition != types.PipelineExecutionStartConditionExpressionMatchAndDependencyUpdatesAvailable {
			t.Errorf("dateNextRun %s, start condition %s", *p.DateNextRun, p.Schedule.PipelineExecutionStartCondition)
		}
	},
	"P5": func(t *testing.T) {
		for _, expression := range []string{"cron(0 0 * * SUN *)", "cron(30 22 ? * tue#2 *)", "cron(0 0 L * ? *)", "cron(0 8 3W * ? *)", "rate(1 day)"} {
			f := newFactory(t)
			must(t, f.newPipeline(schedule(expression)))
			if p := f.pipeline(); *p.Schedule.ScheduleExpression != expression {
				t.Errorf("%s is returned as %s", expression, *p.Schedule.ScheduleExpression)
			}
		}
	},
	"P6": func(t *testing.T) {
		f := newFactory(t)
		for _, expression := range []string{"rate(1 days)", "rate(5 hour)", "cron(0 10 1 * MON *)", "cron(0 10 ? * ? *)", "0 10 * * ? *"} {
			err := f.newPipeline(schedule(expression))
			wantError(t, expression, err, invalid)
			if !strings.Contains(err.Error(), "'schedule.scheduleExpression'") {
				t.Errorf("%s: %v", expression, err)
			}
		}
	},
	"P7": func(t *testing.T) {
		f := newFactory(t)
		must(t, f.newPipeline(schedule("rate(1 day)"), func(in *imagebuilder.CreateImagePipelineInput) { in.Status = types.PipelineStatusDisabled }))
		f.updatePipeline(func(*imagebuilder.UpdateImagePipelineInput) {})
		if p := f.pipeline(); p.Status != types.PipelineStatusEnabled || p.Schedule != nil {
			t.Errorf("after the update: %+v", p)
		}
	},
	"P8": func(t *testing.T) {
		f := newFactory(t)
		box := f.createContainerRecipe("web", "1.0.0", nil)
		must(t, f.newPipeline())
		_, err := f.UpdateImagePipeline(t.Context(), &imagebuilder.UpdateImagePipelineInput{
			ImagePipelineArn: aws.String(pipelineARN), InfrastructureConfigurationArn: &f.infra, ContainerRecipeArn: &box,
		})
		wantError(t, "UpdateImagePipeline to a container recipe", err, invalid)
	},
	"P11": func(t *testing.T) {
		f := newFactory(t)
		must(t, f.newPipeline(func(in *imagebuilder.CreateImagePipelineInput) {
			in.Status, in.ImageTags = types.PipelineStatusDisabled, map[string]string{"scheduled": "only"}
		}))
		out, err := f.StartImagePipelineExecution(t.Context(), &imagebuilder.StartImagePipelineExecutionInput{
			ImagePipelineArn: aws.String(pipelineARN), Tags: map[string]string{"request": "yes"},
		})
		must(t, err)
		image := f.image(*out.ImageBuildVersionArn)
		if *image.Arn != own+"image/demo/1.0.0/1" || image.BuildType != types.BuildTypeUserInitiated || !cmp.Equal(image.Tags, map[string]string{"request": "yes"}) {
			t.Errorf("the image is %+v", image)
		}
		for _, status := range []model.ImageStatus{model.ImageStatusBuilding, model.ImageStatusTesting, model.ImageStatusAvailable} {
			f.move(*image.Arn, status)
			if got := f.pipeline().LastRunStatus; string(got) != string(status) {
				t.Errorf("lastRunStatus = %s, want %s", got, status)
			}
		}
	},
	"P12": func(t *testing.T) {
		f := newFactory(t)
		must(t, f.newPipeline())
		f.refused(400, dependency, "DELETE", "/DeleteInfrastructureConfiguration?infrastructureConfigurationArn="+f.infra, nil, f.infra)
	},
}
