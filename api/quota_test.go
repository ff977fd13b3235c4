package api_test

import (
	"fmt"
	"testing"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// TestQuotas sets each quota to what there is and one more: one more is made,
// the next refused, and made when another is gone.
func TestQuotas(t *testing.T) { // Q1 for every kind
	for _, test := range []struct {
		operation string
		quota     func(*ingot.Quotas) *int
		have      int // made before by newFactory
		in        func(f *factory, n int) obj
		remove    string // operation and parameter that delete an ARN
		arn       string // member of the answer
	}{
		{
			"CreateComponent", func(q *ingot.Quotas) *int { return &q.Components }, 0,
			func(_ *factory, n int) obj { return component("counted", "1.0.0", docBuild+fmt.Sprintf("# %d\n", n)) },
			"DeleteComponent?componentBuildVersionArn=", "componentBuildVersionArn",
		},
		{
			"CreateImageRecipe", func(q *ingot.Quotas) *int { return &q.ImageRecipes }, 1,
			func(_ *factory, n int) obj {
				return obj{"name": "counted", "semanticVersion": fmt.Sprintf("1.0.%d", n), "parentImage": managed + "image/debian-12/x.x.x"}
			},
			"DeleteImageRecipe?imageRecipeArn=", "imageRecipeArn",
		},
		{
			"CreateContainerRecipe", func(q *ingot.Quotas) *int { return &q.ContainerRecipes }, 0,
			func(_ *factory, n int) obj { return containerRecipe("counted", fmt.Sprintf("1.0.%d", n), nil) },
			"DeleteContainerRecipe?containerRecipeArn=", "containerRecipeArn",
		},
		{
			"CreateInfrastructureConfiguration", func(q *ingot.Quotas) *int { return &q.InfrastructureConfigurations }, 1,
			func(_ *factory, n int) obj { return obj{"name": fmt.Sprint("counted", n), "instanceProfileName": "p"} },
			"DeleteInfrastructureConfiguration?infrastructureConfigurationArn=", "infrastructureConfigurationArn",
		},
		{
			"CreateDistributionConfiguration", func(q *ingot.Quotas) *int { return &q.DistributionConfigurations }, 0,
			func(_ *factory, n int) obj { return obj{"name": fmt.Sprint("counted", n), "distributions": []obj{}} },
			"DeleteDistributionConfiguration?distributionConfigurationArn=", "distributionConfigurationArn",
		},
		{
			"CreateImagePipeline", func(q *ingot.Quotas) *int { return &q.ImagePipelines }, 0,
			func(f *factory, n int) obj {
				return obj{"name": fmt.Sprint("counted", n), "imageRecipeArn": f.recipe, "infrastructureConfigurationArn": f.infra}
			},
			"DeleteImagePipeline?imagePipelineArn=", "imagePipelineArn",
		},
		{
			"CreateWorkflow", func(q *ingot.Quotas) *int { return &q.Workflows }, 0,
			func(_ *factory, n int) obj {
				return flow("counted", fmt.Sprintf("1.0.%d", n), model.WorkflowTypeBuild, flowWait, nil)
			},
			"DeleteWorkflow?workflowBuildVersionArn=", "workflowBuildVersionArn",
		},
		{
			"CreateLifecyclePolicy", func(q *ingot.Quotas) *int { return &q.LifecyclePolicies }, 0,
			func(_ *factory, n int) obj { return policy(fmt.Sprint("counted", n), nil) },
			"DeleteLifecyclePolicy?lifecyclePolicyArn=", "lifecyclePolicyArn",
		},
		{
			"CreateImage", func(q *ingot.Quotas) *int { return &q.ConcurrentBuilds }, 0,
			func(f *factory, _ int) obj {
				return obj{"imageRecipeArn": f.recipe, "infrastructureConfigurationArn": f.infra}
			}, "", "imageBuildVersionArn",
		},
	} {
		t.Run(test.operation, func(t *testing.T) {
			f := newFactory(t)
			*test.quota(&f.Store.Quotas) = test.have + 1
			arn, _ := f.must("PUT", "/"+test.operation, test.in(f, 0))[test.arn].(string)
			next := test.in(f, 1)
			f.refused(402, "ServiceQuotaExceededException", "PUT", "/"+test.operation, next, fmt.Sprintf("quota of %d", test.have+1))
			if test.remove == "" {
				f.move(arn, model.ImageStatusFailed)
			} else {
				f.must("DELETE", "/"+test.remove+arn, nil)
			}
			f.must("PUT", "/"+test.operation, next)
		})
	}
}

func TestQuotasOfDistributionRegions(t *testing.T) {
	s := start(t)
	s.Store.Quotas.LaunchTemplatesPerRegion, s.Store.Quotas.SSMParametersPerRegion = 0, 0
	for member, entry := range map[string]obj{
		"launchTemplateConfigurations": {"launchTemplateId": "lt-0123456789abcdef0"},
		"ssmParameterConfigurations":   {"parameterName": "/imagebuilder/a"},
	} {
		s.refused(402, "ServiceQuotaExceededException", "PUT", "/CreateDistributionConfiguration",
			obj{"name": "counted", "distributions": []obj{{"region": region, member: []obj{entry}}}}, "quota is 0")
	}
}
