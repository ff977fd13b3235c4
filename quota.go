package ingot

import (
	"context"
	"fmt"
	"reflect"
)

// Quotas are what an account may have in a region. Source: api.md §10. The
// limits that are rules of one document, such as the steps of a workflow, are
// with the rules of that document.
type Quotas struct {
	Components                   int `yaml:"components" json:"components"` // builds count
	ImageRecipes                 int `yaml:"imageRecipes" json:"imageRecipes"`
	ContainerRecipes             int `yaml:"containerRecipes" json:"containerRecipes"`
	InfrastructureConfigurations int `yaml:"infrastructureConfigurations" json:"infrastructureConfigurations"`
	DistributionConfigurations   int `yaml:"distributionConfigurations" json:"distributionConfigurations"`
	ImagePipelines               int `yaml:"imagePipelines" json:"imagePipelines"`
	Workflows                    int `yaml:"workflows" json:"workflows"` // builds count
	LifecyclePolicies            int `yaml:"lifecyclePolicies" json:"lifecyclePolicies"`
	ConcurrentBuilds             int `yaml:"concurrentBuilds" json:"concurrentBuilds"`                 // images on their way
	ConcurrentStateUpdates       int `yaml:"concurrentStateUpdates" json:"concurrentStateUpdates"`     // that reach AMIs, and have not ended
	LaunchTemplatesPerRegion     int `yaml:"launchTemplatesPerRegion" json:"launchTemplatesPerRegion"` // of a distribution configuration
	SSMParametersPerRegion       int `yaml:"ssmParametersPerRegion" json:"ssmParametersPerRegion"`     // of a distribution configuration
}

// DefaultQuotas are the vendor's. Source: api.md §10.
func DefaultQuotas() Quotas {
	return Quotas{
		Components: 1000, ImageRecipes: 1000, ContainerRecipes: 1000,
		InfrastructureConfigurations: 1000, DistributionConfigurations: 1000,
		ImagePipelines: 75, Workflows: 1000, LifecyclePolicies: 50,
		ConcurrentBuilds: 100, ConcurrentStateUpdates: 50, LaunchTemplatesPerRegion: 5, SSMParametersPerRegion: 10,
	}
}

// Check refuses quotas below zero; zero forbids the resource.
func (q Quotas) Check() error {
	v := reflect.ValueOf(q)
	for i := range v.NumField() {
		if n := v.Field(i).Int(); n < 0 {
			return fmt.Errorf("%s %d: must be at least 0", v.Type().Field(i).Tag.Get("yaml"), n)
		}
	}
	return nil
}

// of is the quota of a kind that is counted.
func (q Quotas) of(kind Kind) int {
	switch kind {
	case KindComponent:
		return q.Components
	case KindImageRecipe:
		return q.ImageRecipes
	case KindContainerRecipe:
		return q.ContainerRecipes
	case KindInfrastructure:
		return q.InfrastructureConfigurations
	case KindDistribution:
		return q.DistributionConfigurations
	case KindPipeline:
		return q.ImagePipelines
	case KindWorkflow:
		return q.Workflows
	case KindLifecycle:
		return q.LifecyclePolicies
	}
	panic(fmt.Sprintf("ingot: the kind %q has no quota", kind))
}

// CheckQuota returns CodeQuota when one more resource of the kind is too many.
func CheckQuota(ctx context.Context, tx Tx, scope Scope, kind Kind) error {
	quota := tx.Quotas().of(kind)
	n, err := tx.Count(ctx, Query{Scope: scope, Kind: kind, Limit: quota})
	if err != nil {
		return fmt.Errorf("counting the resources of kind %s: %w", kind, err)
	}
	if n >= quota {
		return Errorf(CodeQuota, "The account has reached its quota of %d resources of the kind %s in %s. Delete some first.", quota, kind, scope.Region)
	}
	return nil
}

// checkBuildQuota returns CodeQuota when one more image on its way is too many.
func checkBuildQuota(ctx context.Context, tx Tx, scope Scope) error {
	quota := tx.Quotas().ConcurrentBuilds
	n, err := tx.Count(ctx, Query{
		Scope: scope, Kind: KindImage, Limit: quota,
		Filters: []Filter{{Name: FilterStatus, Values: ImagePending}},
	})
	if err != nil {
		return fmt.Errorf("counting the builds under way: %w", err)
	}
	if n >= quota {
		return Errorf(CodeQuota, "The account has reached its quota of %d image builds under way in %s. Wait for one to end.", quota, scope.Region)
	}
	return nil
}

// checkUpdateQuota returns CodeQuota when one more update of an image's state
// is too many. Source: lifecycle.md §4.1.
func checkUpdateQuota(ctx context.Context, tx Tx, scope Scope) error {
	quota := tx.Quotas().ConcurrentStateUpdates
	n, err := tx.CountStateUpdates(ctx, scope, quota)
	if err != nil {
		return err
	}
	if n >= quota {
		return Errorf(CodeQuota, "The account has reached its quota of %d updates of images' states under way in %s. Wait for one to end.", quota, scope.Region)
	}
	return nil
}

// checkRegion returns CodeQuota for a region of a distribution
// configuration that has too much of something.
func (q Quotas) checkRegion(region string, launchTemplates, ssmParameters int) error {
	if launchTemplates > q.LaunchTemplatesPerRegion {
		return Errorf(CodeQuota, "The region '%s' has %d launch template configurations; the quota is %d.", region, launchTemplates, q.LaunchTemplatesPerRegion)
	}
	if ssmParameters > q.SSMParametersPerRegion {
		return Errorf(CodeQuota, "The region '%s' has %d SSM parameter configurations; the quota is %d.", region, ssmParameters, q.SSMParametersPerRegion)
	}
	return nil
}
