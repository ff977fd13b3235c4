package ingot

import (
	"context"
	"fmt"
)

// quotas are the counted resources of an account and region. Source: api.md §10.
var quotas = map[Kind]int{
	KindComponent:       1000, // builds count
	KindImageRecipe:     1000,
	KindContainerRecipe: 1000,
	KindInfrastructure:  1000,
	KindDistribution:    1000,
	KindPipeline:        75,
	KindWorkflow:        1000,
	KindLifecycle:       50,
}

// CheckQuota returns CodeQuota when one more resource of the kind is too many.
func CheckQuota(ctx context.Context, r RecordReader, scope Scope, kind Kind) error {
	quota := quotas[kind]
	n, err := r.Count(ctx, Query{Scope: scope, Kind: kind, Limit: quota})
	if err != nil {
		return fmt.Errorf("counting the resources of kind %s: %w", kind, err)
	}
	if n >= quota {
		return Errorf(CodeQuota, "The account has reached its quota of %d resources of the kind %s in %s. Delete some first.", quota, kind, scope.Region)
	}
	return nil
}
